/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The domains of the benchmark. */
#include "definitions.h"

PerfDomain perf_domain(guint number)
{
    PerfDomain domain = {.number = number};

    g_snprintf(domain.name, sizeof domain.name, "perf-%07u", number);
    /* Spread, as random ones are: lists are ordered by it. */
    g_snprintf(domain.uuid, sizeof domain.uuid, "%08x-7e57-4000-8000-%012x", number * 2654435761u,
               number);
    g_strlcpy(domain.element, domain.uuid, sizeof domain.element);
    g_strdelimit(domain.element, "-", '_');
    return domain;
}

char *perf_domain_image(const PerfDomain *domain, const PerfSite *site, char disk)
{
    return g_strdup_printf("%s/%s-%c.qcow2", site->images, domain->name, disk);
}

char *perf_domain_xml(const PerfDomain *domain, const PerfSite *site)
{
    guint number = domain->number;

    return g_strdup_printf(
        "<domain type='qemu'>\n"
        "  <name>%s</name>\n"
        "  <uuid>%s</uuid>\n"
        "  <title>Machine %u</title>\n"
        "  <description>Rack %u, one of many; made for a measurement.</description>\n"
        "  <metadata>\n"
        "    <lab:machine xmlns:lab='https://example.org/lab/1'>\n"
        "      <lab:os id='https://example.org/os/12'/>\n"
        "      <lab:owner>team-%u</lab:owner>\n"
        "    </lab:machine>\n"
        "  </metadata>\n"
        "  <memory unit='MiB'>%u</memory>\n"
        "  <currentMemory unit='MiB'>%u</currentMemory>\n"
        "  <vcpu placement='static'>1</vcpu>\n"
        "  <os>\n"
        "    <type arch='x86_64' machine='pc'>hvm</type>\n"
        "    <boot dev='hd'/>\n"
        "  </os>\n"
        "  <features><acpi/><apic/></features>\n"
        "  <clock offset='utc'/>\n"
        "  <on_poweroff>destroy</on_poweroff>\n"
        "  <on_reboot>restart</on_reboot>\n"
        "  <on_crash>destroy</on_crash>\n"
        "  <devices>\n"
        "    <emulator>%s</emulator>\n"
        "    <disk type='file' device='disk'>\n"
        "      <driver name='qemu' type='qcow2'/>\n"
        "      <source file='%s/%s-a.qcow2'/>\n"
        "      <target dev='vda' bus='virtio'/>\n"
        "    </disk>\n"
        "    <disk type='file' device='disk'>\n"
        "      <driver name='qemu' type='qcow2'/>\n"
        "      <source file='%s/%s-b.qcow2'/>\n"
        "      <target dev='vdb' bus='virtio'/>\n"
        "    </disk>\n"
        "    <controller type='usb' index='0' model='piix3-uhci'/>\n"
        "    <interface type='user'>\n"
        "      <mac address='52:54:00:%02x:%02x:%02x'/>\n"
        "      <model type='virtio'/>\n"
        "    </interface>\n"
        "    <serial type='pty'><target port='0'/></serial>\n"
        "    <graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1'/>\n"
        "    <video><model type='cirrus' vram='16384' heads='1'/></video>\n"
        "    <memballoon model='virtio'/>\n"
        "    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>\n"
        "  </devices>\n"
        "</domain>\n",
        domain->name, domain->uuid, number, number / 40, number % 17, site->memory_mib,
        site->memory_mib, site->emulator, site->images, domain->name, site->images, domain->name,
        number >> 16 & 0xff, number >> 8 & 0xff, number & 0xff);
}
