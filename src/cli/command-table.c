/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The table of commands: the one place where a command, its parameters and options are listed. The
 * parser, the help and the test of the manual page read it. */
#include "handlers.h"

#define DOMAIN_PARAMETER                                                                           \
    {                                                                                              \
        "domain", "DOMAIN", FALSE, "name, id or UUID of the domain"                                \
    }
#define NETWORK_PARAMETER                                                                          \
    {                                                                                              \
        "network", "NETWORK", FALSE, "name or UUID of the network"                                 \
    }
#define DISK_PARAMETER                                                                             \
    {                                                                                              \
        "path", "DISK", FALSE, "target of the disk (vda), or its source"                           \
    }
#define FILE_PARAMETER                                                                             \
    {                                                                                              \
        "file", "FILE", FALSE, "file with the domain's XML; '-': standard input"                   \
    }
#define BANDWIDTH_PARAMETER                                                                        \
    {                                                                                              \
        "bandwidth", "BANDWIDTH", TRUE, "limit in MiB/s, or with a suffix (300K); 0: none"         \
    }

static const VbParameter domain_only[] = {DOMAIN_PARAMETER, {NULL}};
static const VbParameter network_only[] = {NETWORK_PARAMETER, {NULL}};
static const VbParameter net_define_parameters[] = {
    {"file", "FILE", TRUE, "file with the network's XML; '-': standard input"}, {NULL}};
static const VbParameter net_create_parameters[] = {
    {"file", "FILE", FALSE, "file with the network's XML; '-': standard input"}, {NULL}};
static const VbParameter net_update_parameters[] = {
    NETWORK_PARAMETER,
    {"command", "COMMAND", FALSE, "add-first, add-last (or add), modify, delete"},
    {"section", "SECTION", FALSE,
     "ip-dhcp-host, ip-dhcp-range, forward-interface, portgroup, dns-host, dns-txt, dns-srv"},
    {"xml", "XML", FALSE, "the element, or a file that has it; '-': standard input"},
    {NULL},
};
static const VbParameter optional_domain[] = {
    {"domain", "DOMAIN", TRUE, "with this domain (name, id or UUID), not with any"}, {NULL}};
static const VbParameter domstats_parameters[] = {
    {"domain", "DOMAIN", TRUE, "of this domain (name, id or UUID), not of all"}, {NULL}};
static const VbParameter file_only[] = {FILE_PARAMETER, {NULL}};
static const VbParameter disk_bandwidth[] = {
    DOMAIN_PARAMETER, DISK_PARAMETER, BANDWIDTH_PARAMETER, {NULL}};
static const VbParameter copy_parameters[] = {
    DOMAIN_PARAMETER,    DISK_PARAMETER, {"dest", "DEST", TRUE, "path of the copy"},
    BANDWIDTH_PARAMETER, {NULL},
};
static const VbParameter help_parameters[] = {
    {"command", "COMMAND", TRUE, "the command to tell of"}, {NULL}};

static const VbOption list_options[] = {
    {"all", 0, NULL, "running domains and the others"},
    {"inactive", 0, NULL, "only domains that do not run"},
    {"name", 0, NULL, "print names, no table"},
    {"uuid", 0, NULL, "print UUIDs, no table"},
    {"title", 0, NULL, "add the titles to the table"},
    {NULL},
};
static const VbOption paused_options[] = {
    {"paused", 0, NULL, "leave the guest paused"},
    {NULL},
};
static const VbOption autostart_options[] = {
    {"disable", 0, NULL, "no longer"},
    {NULL},
};
static const VbOption dumpxml_options[] = {
    {"inactive", 0, NULL, "the stored definition of a running domain"},
    {"security-info", 0, NULL, "passwords too"},
    {NULL},
};
static const VbOption domstate_options[] = {
    {"reason", 0, NULL, "print the reason too"},
    {NULL},
};
static const VbOption domblklist_options[] = {
    {"details", 0, NULL, "print type and device too"},
    {NULL},
};

static const VbOption domifaddr_options[] = {
    {"interface", 0, "INTERFACE", "only that interface's: its device on the host, or its MAC"},
    {NULL},
};
static const VbOption domstats_options[] = {
    {"state", 0, NULL, "only these groups: the state …"},
    {"cpu-total", 0, NULL, "processor time"},
    {"balloon", 0, NULL, "memory"},
    {"vcpu", 0, NULL, "virtual CPUs"},
    {"interface", 0, NULL, "network interfaces"},
    {"block", 0, NULL, "disks"},
    {NULL},
};
static const VbOption net_list_options[] = {
    {"all", 0, NULL, "active networks and the others"},
    {"inactive", 0, NULL, "only networks that are not active"},
    {"name", 0, NULL, "print names, no table"},
    {"uuid", 0, NULL, "print UUIDs, no table"},
    {NULL},
};
static const VbOption net_define_options[] = {
    {"default", 0, NULL, "the network that the daemon offers, no FILE"},
    {NULL},
};
static const VbOption net_dumpxml_options[] = {
    {"inactive", 0, NULL, "the stored definition of an active network"},
    {NULL},
};
static const VbOption net_update_options[] = {
    {"parent-index", 0, "N", "which <ip> is meant, counted from 0"},
    {"live", 0, NULL, "change the active network"},
    {"config", 0, NULL, "change the stored definition"},
    {NULL},
};
static const VbOption net_dhcp_leases_options[] = {
    {"mac", 0, "MAC", "only that guest's"},
    {NULL},
};

#define WAIT_OPTIONS                                                                               \
    {"wait", 0, NULL, "wait for the job"},                                                         \
        {"verbose", 0, NULL, "show the progress; implies --wait"},                                 \
        {"timeout", 0, "SECONDS", "cancel the job after that; implies --wait"},                    \
    {                                                                                              \
        "async", 0, NULL, "do not wait for a cancel's end; implies --wait"                         \
    }
#define BYTES_OPTION                                                                               \
    {                                                                                              \
        "bytes", 0, NULL, "BANDWIDTH is in bytes/s"                                                \
    }

static const VbOption blockpull_options[] = {
    {"base", 0, "PATH", "backing file to pull down to; without it: all"},
    {"keep-relative", 0, NULL, "keep relative names in the backing chain"},
    BYTES_OPTION,
    WAIT_OPTIONS,
    {NULL},
};
static const VbOption blockcopy_options[] = {
    {"xml", 0, "FILE", "file with a <disk> that describes the copy"},
    {"format", 0, "FORMAT", "format of DEST"},
    {"blockdev", 0, NULL, "DEST is a block device"},
    {"shallow", 0, NULL, "copy only the top, sharing the backing chain"},
    {"reuse-external", 0, NULL, "DEST exists and is used as it is"},
    {"granularity", 0, "BYTES", "size of a dirty region, a power of two"},
    {"buf-size", 0, "BYTES", "most data in flight"},
    {"transient-job", 0, NULL, "the job ends with the domain's run"},
    {"synchronous-writes", 0, NULL, "the guest's writes go to both at once"},
    {"pivot", 0, NULL, "switch to the copy when in step; implies --wait"},
    {"finish", 0, NULL, "end the job when in step; implies --wait"},
    BYTES_OPTION,
    WAIT_OPTIONS,
    {NULL},
};
static const VbOption blockcommit_options[] = {
    {"base", 0, "PATH", "file to commit into; without it: the bottom"},
    {"top", 0, "PATH", "file to commit; without it: the top"},
    {"shallow", 0, NULL, "commit into the backing file of top"},
    {"active", 0, NULL, "commit what the guest writes to, too"},
    {"delete", 0, NULL, "delete the committed files"},
    {"keep-relative", 0, NULL, "keep relative names in the backing chain"},
    {"pivot", 0, NULL, "switch to the base when in step; implies --active --wait"},
    {"keep-overlay", 0, NULL, "end the job when in step; implies --active --wait"},
    BYTES_OPTION,
    WAIT_OPTIONS,
    {NULL},
};
static const VbOption blockjob_options[] = {
    {"info", 0, NULL, "show the job; what is done without options"},
    {"raw", 0, NULL, "show it line by line; implies --info"},
    {"bytes", 0, NULL, "bytes/s for --raw or BANDWIDTH; alone implies --info"},
    {"abort", 0, NULL, "cancel the job and wait for its end"},
    {"async", 0, NULL, "do not wait for the end; implies --abort"},
    {"pivot", 0, NULL, "switch to the copy or the base; implies --abort"},
    {"force", 0, NULL, "cancel at once, consistent or not; implies --abort"},
    {NULL},
};
static const VbOption log_options[] = {
    {"follow", 0, NULL, "go on with what is logged from now on"},
    {"lines", 0, "N", "only the last N"},
    {"since", 0, "TIME", "only from then on, as journalctl takes it: today, -1h"},
    {NULL},
};
static const VbOption monitor_options[] = {
    {"domain", 0, "DOMAIN", "only that domain's"},
    {"event", 0, "KIND", "only lifecycle or only block-job events"},
    {NULL},
};
static const VbOption event_options[] = {
    {"domain", 0, "DOMAIN", "only that domain's"},
    {"event", 0, "KIND", "only lifecycle or only block-job events"},
    {"all", 0, NULL, "events of every kind; the default"},
    {"loop", 0, NULL, "go on after the first event"},
    {"timeout", 0, "SECONDS", "end after that"},
    {NULL},
};

const VbOption vb_global_options[] = {
    {"system", 0, NULL, "the system's virtbusd; the default"},
    {"session", 0, NULL, "the user's own virtbusd"},
    {"address", 0, "ADDRESS", "the virtbusd on the bus of that D-Bus address"},
    {"json", 0, NULL, "print JSON"},
    {"help", 'h', NULL, "print help"},
    {"version", 'V', NULL, "print the version"},
    {NULL},
};

const VbCommand vb_commands[] = {
    {"list", "List domains", NULL, list_options, vb_cmd_list},
    {"define", "Define a domain from XML, without starting it", file_only, NULL, vb_cmd_define},
    {"create", "Start a domain from XML, without storing it", file_only, paused_options,
     vb_cmd_create},
    {"start", "Start a defined domain", domain_only, paused_options, vb_cmd_start},
    {"shutdown", "Ask the guest to shut down", domain_only, NULL, vb_cmd_shutdown},
    {"destroy", "Stop a domain at once", domain_only, NULL, vb_cmd_destroy},
    {"reboot", "Ask the guest to reboot", domain_only, NULL, vb_cmd_reboot},
    {"reset", "Reset a domain as its button would", domain_only, NULL, vb_cmd_reset},
    {"suspend", "Pause a running domain", domain_only, NULL, vb_cmd_suspend},
    {"resume", "Let a paused domain run", domain_only, NULL, vb_cmd_resume},
    {"undefine", "Remove the stored definition", domain_only, NULL, vb_cmd_undefine},
    {"autostart", "Start a domain when the host starts", domain_only, autostart_options,
     vb_cmd_autostart},
    {"dumpxml", "Print a domain's XML", domain_only, dumpxml_options, vb_cmd_dumpxml},
    {"dominfo", "Print a domain's basic facts", domain_only, NULL, vb_cmd_dominfo},
    {"domstate", "Print a domain's state", domain_only, domstate_options, vb_cmd_domstate},
    {"domid", "Print a domain's id", domain_only, NULL, vb_cmd_domid},
    {"domuuid", "Print a domain's UUID", domain_only, NULL, vb_cmd_domuuid},
    {"domname", "Print a domain's name", domain_only, NULL, vb_cmd_domname},
    {"actions", "Print what you are allowed to do", optional_domain, NULL, vb_cmd_actions},
    {"domblklist", "List a domain's disks", domain_only, domblklist_options, vb_cmd_domblklist},
    {"domiflist", "List a domain's network interfaces", domain_only, NULL, vb_cmd_domiflist},
    {"domifaddr", "Print the addresses of a domain's interfaces", domain_only, domifaddr_options,
     vb_cmd_domifaddr},
    {"domstats", "Print statistics of domains", domstats_parameters, domstats_options,
     vb_cmd_domstats},
    {"net-list", "List networks", NULL, net_list_options, vb_cmd_net_list},
    {"net-define", "Define a network from XML, without starting it", net_define_parameters,
     net_define_options, vb_cmd_net_define},
    {"net-create", "Start a network from XML, without storing it", net_create_parameters, NULL,
     vb_cmd_net_create},
    {"net-start", "Start a defined network", network_only, NULL, vb_cmd_net_start},
    {"net-destroy", "Stop a network", network_only, NULL, vb_cmd_net_destroy},
    {"net-undefine", "Remove the stored definition of a network", network_only, NULL,
     vb_cmd_net_undefine},
    {"net-autostart", "Start a network when the host starts", network_only, autostart_options,
     vb_cmd_net_autostart},
    {"net-dumpxml", "Print a network's XML", network_only, net_dumpxml_options, vb_cmd_net_dumpxml},
    {"net-info", "Print a network's basic facts", network_only, NULL, vb_cmd_net_info},
    {"net-update", "Change a part of a network", net_update_parameters, net_update_options,
     vb_cmd_net_update},
    {"net-dhcp-leases", "List the addresses that a network has handed out", network_only,
     net_dhcp_leases_options, vb_cmd_net_dhcp_leases},
    {"net-reload", "Make again what others have removed of active networks", NULL, NULL,
     vb_cmd_net_reload},
    {"blockpull", "Pull a disk's backing files into it", disk_bandwidth, blockpull_options,
     vb_cmd_blockpull},
    {"blockcopy", "Copy a disk, and switch to the copy", copy_parameters, blockcopy_options,
     vb_cmd_blockcopy},
    {"blockcommit", "Commit a disk's files into a backing file", disk_bandwidth,
     blockcommit_options, vb_cmd_blockcommit},
    {"blockjob", "Show, pace or end the block job of a disk", disk_bandwidth, blockjob_options,
     vb_cmd_blockjob},
    {"event", "Print what happens to domains", NULL, event_options, vb_cmd_event},
    {"monitor", "Print what happens to domains until interrupted", NULL, monitor_options,
     vb_cmd_monitor},
    {"log", "Print what the journal has of a domain and its QEMU", domain_only, log_options,
     vb_cmd_log},
    {"help", "Print help", help_parameters, NULL, vb_cmd_help},
    {NULL},
};
