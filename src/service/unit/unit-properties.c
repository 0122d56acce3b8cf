/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See unit-properties.h. Nothing here may keep a guest from what its definition may name at any
 * time of its life: a copy's target, another network. What QEMU's user can open is what virtbusd
 * gave it; the sandbox keeps from it what no guest needs. */
#include "unit-properties.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#define SLICE "virtbus.slice"
#define DAEMON_UNIT "virtbusd.service"
#define UMASK 0077u
#define WORK_USEC                                                                                  \
    (60 * G_GUINT64_CONSTANT(1000000)) /* for one that ends: whoever waits gives up before */
#define MAX_FILES G_GUINT64_CONSTANT(65536)

#define PUT(...)                                                                                   \
    G_STMT_START                                                                                   \
    {                                                                                              \
        if (r >= 0)                                                                                \
            r = sd_bus_message_append(call, "(sv)", __VA_ARGS__);                                  \
    }                                                                                              \
    G_STMT_END

/* The manager expands variables. (ExecStartEx could tell it not to; but systemd 252 does not read
 * again what it has written of that, and refuses the unit after a reload.) */
static int append_argument(sd_bus_message *call, const char *argument)
{
    g_autoptr(GString) escaped = g_string_new(argument);

    g_string_replace(escaped, "$", "$$", 0);
    return sd_bus_message_append(call, "s", escaped->str);
}

static int append_command(sd_bus_message *call, const char *helper, const char *const *argv)
{
    int r = sd_bus_message_open_container(call, 'r', "sv");

    if (r >= 0)
        r = sd_bus_message_append(call, "s", "ExecStart");
    if (r >= 0)
        r = sd_bus_message_open_container(call, 'v', "a(sasb)");
    if (r >= 0)
        r = sd_bus_message_open_container(call, 'a', "(sasb)");
    if (r >= 0)
        r = sd_bus_message_open_container(call, 'r', "sasb");
    if (r >= 0)
        r = sd_bus_message_append(call, "s", helper);
    if (r >= 0)
        r = sd_bus_message_open_container(call, 'a', "s");
    if (r >= 0)
        r = sd_bus_message_append(call, "s", helper);
    for (gsize i = 0; r >= 0 && argv[i] != NULL; i++)
        r = append_argument(call, argv[i]);
    if (r >= 0)
        r = sd_bus_message_close_container(call);
    if (r >= 0)
        r = sd_bus_message_append(call, "b", 0); /* a failure is one */
    for (guint level = 0; r >= 0 && level < 4; level++)
        r = sd_bus_message_close_container(call);
    return r;
}

/* A field that lets journalctl find what QEMU wrote together with what virtbusd wrote of it. */
static int append_log(sd_bus_message *call, const VbLaunchSpec *spec)
{
    int r = 0;

    if (spec->output != 0) {
        PUT("StandardOutputFileDescriptor", "h", spec->output);
        PUT("StandardErrorFileDescriptor", "h",
            spec->messages != 0 ? spec->messages : spec->output);
    } else {
        PUT("StandardOutput", "s", "journal");
        PUT("StandardError", "s", "journal");
    }
    PUT("SyslogIdentifier", "s", spec->name);
    if (spec->domain != NULL) {
        g_autofree char *field = g_strconcat("VIRTBUS_DOMAIN=", spec->domain, NULL);
        gsize length = strlen(field);

        if (r >= 0)
            r = sd_bus_message_open_container(call, 'r', "sv");
        if (r >= 0)
            r = sd_bus_message_append(call, "s", "LogExtraFields");
        if (r >= 0)
            r = sd_bus_message_open_container(call, 'v', "aay");
        if (r >= 0)
            r = sd_bus_message_open_container(call, 'a', "ay");
        if (r >= 0)
            r = sd_bus_message_append_array(call, 'y', field, length);
        for (guint level = 0; r >= 0 && level < 3; level++)
            r = sd_bus_message_close_container(call);
    }
    return r;
}

/* What any manager can do for its units. */
static int append_sandbox(sd_bus_message *call, const VbLaunchSpec *spec)
{
    int r = 0;

    PUT("NoNewPrivileges", "b", 1);
    PUT("RestrictAddressFamilies", "(bas)", 1, 4, "AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK");
    if (!spec->namespaces)
        PUT("RestrictNamespaces", "t", G_GUINT64_CONSTANT(0));
    PUT("RestrictRealtime", "b", 1);
    PUT("RestrictSUIDSGID", "b", 1);
    PUT("LockPersonality", "b", 1);
    PUT("SystemCallArchitectures", "as", 1, "native");
    /* seccomp(): QEMU has a filter of its own. */
    if (spec->namespaces)
        PUT("SystemCallFilter", "(bas)", 1, 3, "@system-service", "seccomp", "@mount");
    else
        PUT("SystemCallFilter", "(bas)", 1, 2, "@system-service", "seccomp");
    PUT("SystemCallErrorNumber", "i", EPERM);
    return r;
}

/* What only the system's manager can: another user, devices, a view of the file system. No
 * MemoryDenyWriteExecute: TCG writes the code that it runs. */
static int append_system_sandbox(sd_bus_message *call, const VbLaunchSpec *spec)
{
    int r = 0;

    /* Whoever lets it be root wants it to have root's rights. */
    if (spec->identity != NULL) {
        PUT("User", "s", spec->identity->name);
        PUT("CapabilityBoundingSet", "t", G_GUINT64_CONSTANT(0));
    } else if (spec->capabilities != 0) {
        PUT("CapabilityBoundingSet", "t", spec->capabilities);
    }
    PUT("DevicePolicy", "s", "closed");
    PUT("DeviceAllow", "a(ss)", 3, "/dev/kvm", "rw", "block-*", "rw", "/dev/hwrng", "r");
    PUT("ProtectSystem", "s", "full");
    PUT("ProtectKernelTunables", "b", 1);
    PUT("ProtectKernelModules", "b", 1);
    PUT("ProtectKernelLogs", "b", 1);
    PUT("ProtectControlGroups", "b", 1);
    PUT("ProtectClock", "b", 1);
    PUT("ProtectHostname", "b", 1);
    PUT("ProtectProc", "s", "invisible");
    PUT("PrivateMounts", "b", 1);
    return r;
}

static int append_limits(sd_bus_message *call, const VbLaunchLimits *limits)
{
    int r = 0;

    if (limits->memory_max != 0)
        PUT("MemoryMax", "t", limits->memory_max);
    if (limits->memory_high != 0)
        PUT("MemoryHigh", "t", limits->memory_high);
    if (limits->cpu_weight != 0)
        PUT("CPUWeight", "t", (guint64)limits->cpu_weight);
    if (limits->io_weight != 0)
        PUT("IOWeight", "t", (guint64)limits->io_weight);
    if (limits->cpu_quota != 0) {
        PUT("CPUQuotaPerSecUSec", "t",
            limits->cpu_quota * (guint64)G_USEC_PER_SEC / limits->cpu_period);
        PUT("CPUQuotaPeriodUSec", "t", (guint64)limits->cpu_period);
    }
    return r;
}

static const char *unit_type(VbLaunchKind kind)
{
    switch (kind) {
    case VB_LAUNCH_FORKS:
        return "forking";
    case VB_LAUNCH_ENDS:
        return "oneshot";
    case VB_LAUNCH_STAYS:
        break;
    }
    return "exec";
}

int vb_unit_append_properties(sd_bus_message *call, const VbLaunchSpec *spec,
                              const VbUnitSurroundings *surroundings)
{
    int r = sd_bus_message_open_container(call, 'a', "(sv)");

    PUT("Description", "s", spec->title != NULL ? spec->title : spec->name);
    PUT("Slice", "s", SLICE);
    PUT("Type", "s", unit_type(spec->kind));
    if (spec->kind == VB_LAUNCH_ENDS) {
        PUT("TimeoutStartUSec", "t", WORK_USEC);
        PUT("KillSignal", "i", SIGKILL);
    }
    /* So the daemon is stopped before its guests are, and has the time to shut them down. */
    PUT("Before", "as", 1, DAEMON_UNIT);
    PUT("CollectMode", "s", "inactive-or-failed");
    PUT("AddRef", "b", 1); /* until we know its process: see UnrefUnit */
    PUT("StandardInputFileDescriptor", "h", surroundings->input);
    PUT("WorkingDirectory", "s", "/");
    PUT("UMask", "u", UMASK);
    PUT("IgnoreSIGPIPE", "b", 0);
    PUT("LimitNOFILE", "t", MAX_FILES);
    PUT("LimitNOFILESoft", "t", MAX_FILES);
    if (r >= 0)
        r = append_command(call, surroundings->helper, spec->argv);
    if (r >= 0)
        r = append_log(call, spec);
    if (r >= 0)
        r = append_limits(call, &spec->limits);
    if (r >= 0)
        r = append_sandbox(call, spec);
    if (r >= 0 && !surroundings->session)
        r = append_system_sandbox(call, spec);
    return r < 0 ? r : sd_bus_message_close_container(call);
}
