/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a document may not say: each refusal names the element and its line. And how large and how
 * deep a document may be. */
#include "model-fixture.h"

#include <string.h>

#include "xml-limits.h"
#include "xml-reader.h"

/* A document whose parts can be replaced; each on a line of its own. */
typedef struct {
    const char *domain;  /* line 1 */
    const char *name;    /* line 2 */
    const char *memory;  /* line 3 */
    const char *os;      /* line 4 */
    const char *more;    /* line 5 */
    const char *devices; /* line 6, in <devices> */
} Parts;

static char *build(const Parts *parts)
{
    return g_strdup_printf("%s\n%s\n%s\n%s\n%s\n<devices>%s</devices></domain>",
                           parts->domain ? parts->domain : "<domain type='qemu'>",
                           parts->name ? parts->name : "<name>x</name>",
                           parts->memory ? parts->memory : "<memory>1024</memory>",
                           parts->os ? parts->os : "<os><type machine='q35'>hvm</type></os>",
                           parts->more ? parts->more : "", parts->devices ? parts->devices : "");
}

static void refuse(const char *xml, gssize len, VbError code, const char *text, const char *where)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VbDomainDef) def = vb_domain_def_parse(xml, len, VB_XML_NONE, &error);

    if (def)
        g_error("this was not refused (%s): %s", text, xml);
    g_test_message("%s", error->message);
    model_assert_error(&error, code, text, where, NULL);
}

typedef struct {
    Parts parts;
    const char *text;  /* in the message */
    const char *where; /* and this: element and line */
    gboolean not_supported;
} Refusal;

static void check(const Refusal *refusals, gsize n)
{
    for (gsize i = 0; i < n; i++) {
        g_autofree char *xml = build(&refusals[i].parts);

        refuse(xml, -1, refusals[i].not_supported ? VB_ERROR_NOT_SUPPORTED : VB_ERROR_INVALID_XML,
               refusals[i].text, refusals[i].where);
    }
}

static void test_base(void)
{
    Parts parts = {0};
    g_autofree char *xml = build(&parts);
    g_autoptr(VbDomainDef) def = model_define(xml, VB_XML_NONE);

    g_assert_cmpstr(def->name, ==, "x");
}

static void test_not_understood(void)
{
    static const Refusal refusals[] = {
        {{.more = "<nonsense/>"}, "not understood", "line 5: domain/nonsense"},
        {{.name = "<name x='1'>x</name>"}, "attribute 'x'", "line 2: domain/name"},
        {{.name = "<name>x<b/></name>"}, "not understood", "line 2: domain/name/b"},
        {{.more = "stray"}, "text is not expected", "line 1: domain"},
        {{.more = "<name>y</name>"}, "given twice", "line 5: domain/name"},
        {{.more = "<devices/>"}, "given twice", "line 6: domain/devices"},
        {{.domain = "<domain type='qemu' flavour='a'>"}, "'flavour'", "line 1: domain"},
        {{.domain = "<domain type='xen'>"}, "'xen'", "line 1: domain"},
        {{.domain = "<domain>"}, "'type' is missing", "line 1: domain"},
        {{.devices = "<gadget/>"}, "not understood", "line 6: domain/devices/gadget"},
        {{.devices =
              "\n<disk type='file'><target dev='vda'/>\n<source file='/aa'/>\n<odd/></disk>"},
         "not understood",
         "line 9: domain/devices/disk/odd"},
        {{.devices = "<disk type='file'><source file='/aa' startupPolicy='optional'/>"
                     "<target dev='vda'/></disk>"},
         "'startupPolicy'",
         "line 6: domain/devices/disk/source"},
        {{.devices = "<disk type='file'><driver queues='2'/><source file='/aa'/>"
                     "<target dev='vda'/></disk>"},
         "'queues'",
         "disk/driver"},
        {{.devices = "<disk type='dir'><source dir='/aa'/><target dev='vda'/></disk>"},
         "'dir'",
         "line 6: domain/devices/disk"},
        {{.devices = "<disk type='file' device='floppy'><source file='/aa'/>"
                     "<target dev='fda'/></disk>"},
         "'floppy'",
         "line 6: domain/devices/disk"},
        {{.devices = "<interface type='direct'/>"}, "'direct'", "line 6: domain/devices/interface"},
        {{.devices = "<video><model type='vmvga'/></video>"}, "'vmvga'", "video/model"},
        {{.devices = "<graphics type='sdl'/>"}, "'sdl'", "line 6: domain/devices/graphics"},
        {{.devices = "<graphics type='vnc' websocket='5700'/>"}, "'websocket'", "graphics"},
        {{.devices = "<serial type='tcp'/>"}, "'tcp'", "line 6: domain/devices/serial"},
        {{.devices = "<watchdog model='ib700'/>"}, "'ib700'", "line 6: domain/devices/watchdog"},
        {{.devices = "<rng model='virtio'><backend model='egd'/></rng>"}, "'egd'", "rng/backend"},
        {{.devices = "<memballoon model='xen'/>"}, "'xen'", "line 6: domain/devices/memballoon"},
        {{.devices = "<memballoon model='none'/><memballoon model='none'/>"},
         "given twice",
         "memballoon"},
        {{.more = "<features><viridian/></features>"},
         "not understood",
         "domain/features/viridian"},
        {{.more = "<features><acpi x='y'/></features>"}, "'x'", "domain/features/acpi"},
        {{.more = "<features><pmu state='maybe'/></features>"}, "'maybe'", "domain/features/pmu"},
        {{.more = "<clock offset='absolute' start='1'/>"}, "'absolute'", "domain/clock"},
        {{.more = "<clock><timer name='rtc' tickpolicy='often'/></clock>"},
         "'often'",
         "domain/clock/timer"},
        {{.more = "<cputune><shares>0</shares></cputune>"}, "at least 1", "domain/cputune/shares"},
        {{.more = "<cputune><shares>10001</shares></cputune>"}, "10001", "domain/cputune/shares"},
        {{.more = "<cputune><global_period>999</global_period></cputune>"},
         "at least 1000",
         "line 5: domain/cputune/global_period"},
        {{.more = "<cputune><global_quota>-1</global_quota></cputune>"},
         "-1",
         "line 5: domain/cputune/global_quota"},
        {{.more = "<memtune><hard_limit>0</hard_limit></memtune>"},
         "larger than 0",
         "line 5: domain/memtune/hard_limit"},
        {{.more = "<memtune><soft_limit unit='x'>1</soft_limit></memtune>"},
         "'x'",
         "line 5: domain/memtune/soft_limit"},
        {{.more = "<blkiotune><weight>x</weight></blkiotune>"}, "'x'", "domain/blkiotune/weight"},
        {{.more = "<on_crash>explode</on_crash>"}, "'explode'", "line 5: domain/on_crash"},
        {{.more = "<metadata a='b'/>"}, "'a'", "line 5: domain/metadata"},
        {{.more = "<metadata><a xmlns='relative'/></metadata>"},
         "canonical form",
         "line 5: domain/metadata"},
        {{.more = "<metadata>text</metadata>"}, "text", "line 5: domain/metadata"},
    };

    check(refusals, G_N_ELEMENTS(refusals));
}

static void test_not_supported(void)
{
    static const char *const devices[] = {
        "sound", "audio", "hostdev", "tpm",   "filesystem", "redirdev", "smartcard", "hub",
        "panic", "shmem", "memory",  "nvram", "iommu",      "vsock",    "lease",
    };
    static const Refusal refusals[] = {
        {{.more = "<memoryBacking/>"}, "not supported", "line 5: domain/memoryBacking", TRUE},
        {{.more = "<cputune><vcpupin vcpu='0' cpuset='0'/></cputune>"},
         "not supported",
         "line 5: domain/cputune/vcpupin",
         TRUE},
        {{.more = "<cputune><quota>10000</quota></cputune>"},
         "not supported",
         "line 5: domain/cputune/quota",
         TRUE},
        {{.more = "<sysinfo type='smbios'/>"}, "not supported", "domain/sysinfo", TRUE},
        {{.more = "<q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'/>"},
         "http://libvirt.org/schemas/domain/qemu/1.0",
         "line 5: domain/q:commandline",
         TRUE},
        {{.os = "<os><type>exe</type></os>"}, "'exe'", "line 4: domain/os/type", TRUE},
        {{.os = "<os><type arch='aarch64'>hvm</type></os>"}, "'aarch64'", "domain/os/type", TRUE},
        {{.more = "<cpu><numa/></cpu>"}, "not supported", "domain/cpu/numa", TRUE},
        {{.devices =
              "<disk type='file'><source file='/aa'/><target dev='vda'/><shareable/></disk>"},
         "shared",
         "line 6: domain/devices/disk/shareable",
         TRUE},
        {{.devices =
              "<disk type='file'><source file='/aa'/><target dev='vda'/><transient/></disk>"},
         "transient",
         "line 6: domain/devices/disk/transient",
         TRUE},
        {{.devices =
              "<disk type='network'><source protocol='rbd' name='a'><host name='b'/></source>"
              "<target dev='vda'/></disk>"},
         "'rbd'",
         "line 6: domain/devices/disk/source",
         TRUE},
        {{.devices = "<disk type='network'><source protocol='nbd' tls='yes'><host name='b'/>"
                     "</source><target dev='vda'/></disk>"},
         "TLS",
         "line 6: domain/devices/disk/source",
         TRUE},
        {{.devices = "<video><model type='virtio'><acceleration accel3d='yes'/></model></video>"},
         "3D",
         "video/model/acceleration",
         TRUE},
    };

    check(refusals, G_N_ELEMENTS(refusals));
    for (gsize i = 0; i < G_N_ELEMENTS(devices); i++) {
        g_autofree char *device = g_strdup_printf("<%s/>", devices[i]);
        g_autofree char *where = g_strdup_printf("line 6: domain/devices/%s", devices[i]);
        Refusal refusal = {{.devices = device}, "not supported", where, TRUE};

        check(&refusal, 1);
    }
}

static void test_missing(void)
{
    static const Refusal refusals[] = {
        {{.name = " "}, "<name> is missing", "line 1: domain"},
        {{.memory = " "}, "<memory> is missing", "line 1: domain"},
        {{.os = " "}, "<os> is missing", "line 1: domain"},
        {{.os = "<os/>"}, "<type> is missing", "line 4: domain/os"},
        {{.memory = "<memory/>"}, "not a number", "line 3: domain/memory"},
        {{.devices = "<disk type='file'><source file='/aa'/></disk>"},
         "<target> is missing",
         "line 6: domain/devices/disk"},
        {{.devices = "<disk type='file'><source file='/aa'/><target bus='virtio'/></disk>"},
         "'dev' is missing",
         "line 6: domain/devices/disk/target"},
        {{.devices = "<disk type='file'><target dev='vda'/></disk>"},
         "no <source>",
         "line 6: domain/devices/disk"},
        {{.devices = "<disk type='network'><source protocol='nbd'/><target dev='vda'/></disk>"},
         "<host> is missing",
         "line 6: domain/devices/disk/source"},
        {{.devices = "<disk type='network'><source protocol='nbd'><host transport='unix'/></source>"
                     "<target dev='vda'/></disk>"},
         "'socket' is missing",
         "disk/source/host"},
        {{.devices = "<disk type='file'><source file='/aa'/><backingStore type='file'>"
                     "<source file='/bb'/></backingStore><target dev='vda'/></disk>"},
         "<format> is missing",
         "disk/backingStore"},
        {{.devices = "<disk type='file'><source file='/aa'/><backingStore type='file'>"
                     "<format type='raw'/></backingStore><target dev='vda'/></disk>"},
         "no <source>",
         "disk/backingStore"},
        {{.devices = "<controller index='1'/>"}, "'type' is missing", "devices/controller"},
        {{.devices = "<controller type='pci' index='1'/>"}, "'model' is missing", "controller"},
        {{.devices = "<interface/>"}, "'type' is missing", "line 6: domain/devices/interface"},
        {{.devices = "<serial/>"}, "'type' is missing", "line 6: domain/devices/serial"},
        {{.devices = "<serial type='file'/>"}, "missing", "line 6: domain/devices/serial"},
        {{.devices = "<serial type='unix'/>"}, "missing", "line 6: domain/devices/serial"},
        {{.devices = "<channel type='pty'/>"}, "<target> is missing", "devices/channel"},
        {{.devices = "<rng model='virtio'/>"}, "<backend> is missing", "devices/rng"},
        {{.devices = "<rng><backend model='random'/></rng>"}, "'model' is missing", "devices/rng"},
        {{.devices = "<input bus='usb'/>"}, "'type' is missing", "devices/input"},
        {{.devices = "<graphics/>"}, "'type' is missing", "devices/graphics"},
        {{.devices = "<graphics type='vnc' autoport='no'/>"}, "'port' is missing", "graphics"},
        {{.more = "<cpu mode='custom'/>"}, "needs a <model>", "domain/cpu"},
        {{.more = "<cpu><topology sockets='1'/></cpu>"}, "are needed", "domain/cpu/topology"},
        {{.more = "<clock offset='timezone'/>"}, "'timezone' is missing", "domain/clock"},
    };

    check(refusals, G_N_ELEMENTS(refusals));
}

#define DISK(target, inside)                                                                       \
    "<disk type='file'><source file='/aa'/><target dev='" target "'/>" inside "</disk>"

static void test_values(void)
{
    static const Refusal refusals[] = {
        {{.name = "<name>a/b</name>"}, "without '/'", "line 2: domain/name"},
        {{.name = "<name> </name>"}, "blank", "domain/name"},
        {{.name = "<name>..</name>"}, "'..'", "domain/name"},
        {{.name = "<name>a\nb</name>"}, "control character", "line 2: domain/name"},
        {{.name = "<name>a&#x7f;b</name>"}, "control character", "line 2: domain/name"},
        {{.more = "<uuid>1234</uuid>"}, "'1234'", "line 5: domain/uuid"},
        {{.more = "<title>a\nb</title>"}, "control character", "line 5: domain/title"},
        {{.memory = "<memory>0</memory>"}, "needs memory", "line 3: domain/memory"},
        {{.memory = "<memory>-1</memory>"}, "'-1'", "line 3: domain/memory"},
        {{.memory = "<memory>1e9</memory>"}, "'1e9'", "line 3: domain/memory"},
        {{.memory = "<memory unit='furlong'>1</memory>"}, "'furlong'", "line 3: domain/memory"},
        {{.memory = "<memory unit='kibi'>1</memory>"}, "'kibi'", "line 3: domain/memory"},
        {{.memory = "<memory unit=''>1</memory>"}, "''", "line 3: domain/memory"},
        {{.memory = "<memory unit='EiB'>16</memory>"}, "too large", "line 3: domain/memory"},
        {{.memory = "<memory>18446744073709551615</memory>"}, "too large", "line 3: domain/memory"},
        {{.memory = "<memory>18446744073709551616</memory>"}, "not a number", "line 3"},
        {{.more = "<currentMemory>1025</currentMemory>"}, "larger", "line 5: domain/currentMemory"},
        {{.more = "<vcpu>0</vcpu>"}, "at least one", "line 5: domain/vcpu"},
        {{.more = "<vcpu>4097</vcpu>"}, "'4097'", "line 5: domain/vcpu"},
        {{.more = "<vcpu current='3'>2</vcpu>"}, "3 vCPUs of at most 2", "domain/vcpu"},
        {{.more = "<vcpu placement='auto'>2</vcpu>"}, "'auto'", "line 5: domain/vcpu"},
        {{.more = "<cpu><topology sockets='2' cores='1' threads='1'/></cpu>"},
         "1 vCPUs",
         "line 5: domain/cpu/topology"},
        {{.more = "<cpu mode='host-model'><model>qemu64</model></cpu>"}, "custom", "cpu/model"},
        {{.more = "<cpu><model>a,b</model></cpu>"}, "'a,b'", "domain/cpu/model"},
        {{.more =
              "<cpu mode='custom'><model>a</model><feature name='b'/><feature name='b'/></cpu>"},
         "'b' is given twice",
         "line 5: domain/cpu/feature"},
        {{.more = "<cpu mode='custom'><model>a</model><feature name='b,c'/></cpu>"},
         "'b,c'",
         "domain/cpu/feature"},
        {{.more = "<cpu mode='host-model' migratable='on'/>"}, "'migratable'", "domain/cpu"},
        {{.more = "<cpu match='exact'/>"}, "needs a mode", "domain/cpu"},
        {{.more = "<clock offset='timezone' timezone='Europe,Berlin'/>"}, "Berlin", "domain/clock"},
        {{.more = "<clock offset='utc' adjustment='soon'/>"}, "'soon'", "domain/clock"},
        {{.more = "<clock><timer name='tsc' track='guest'/></clock>"}, "'track'", "clock/timer"},
        {{.more = "<clock><timer name='pit'/><timer name='pit'/></clock>"}, "twice", "clock/timer"},
        {{.more = "<on_reboot>coredump-restart</on_reboot>"}, "on_crash", "domain/on_reboot"},
        {{.os = "<os><type machine='pc,accel=kvm'>hvm</type></os>"}, "accel", "domain/os/type"},
        {{.os = "<os><type>hvm</type><boot dev='hd'/><boot dev='hd'/></os>"},
         "'hd' is given twice",
         "line 4: domain/os/boot"},
        {{.os = "<os><type>hvm</type><kernel>vmlinuz</kernel></os>"},
         "not an absolute path",
         "line 4: domain/os/kernel"},
        {{.os = "<os><type>hvm</type><cmdline>quiet</cmdline></os>"},
         "<kernel>",
         "line 4: domain/os"},
        {{.os = "<os><type>hvm</type><kernel>/vm</kernel><cmdline>a&#10;b</cmdline></os>"},
         "control character",
         "line 4: domain/os/cmdline"},
        {{.os = "<os><type>hvm</type><nvram>/nn</nvram></os>"}, "pflash", "domain/os/nvram"},
        {{.os = "<os><type>hvm</type><loader readonly='yes'/></os>"}, "path", "domain/os/loader"},
        {{.os = "<os><type>hvm</type><bootmenu timeout='1'/></os>"},
         "enable",
         "line 4: domain/os/bootmenu"},
        {{.os = "<os><type>hvm</type><bios rebootTimeout='32768'/></os>"}, "'32768'", "os/bios"},
        {{.devices = "<emulator>qemu</emulator>"}, "'qemu'", "line 6: domain/devices/emulator"},
        {{.devices = DISK("vda", "") DISK("vda", "")}, "'vda'", "line 6: domain/devices/disk"},
        {{.devices = DISK("xvda", "")}, "'xvda'", "line 6: domain/devices/disk/target"},
        {{.devices = DISK("vd", "")}, "'vd'", "line 6: domain/devices/disk/target"},
        {{.devices = DISK("vd,a", "")}, "'vd,a'", "line 6: domain/devices/disk/target"},
        {{.devices = DISK("hda", "")}, "no IDE", "line 6: domain/devices/disk/target"},
        {{.devices = DISK("vda", "<serial>a,b</serial>")}, "'a,b'", "disk/serial"},
        {{.devices = DISK("vda", "<driver type='vmdk'/>")}, "'vmdk'", "disk/driver"},
        {{.devices = DISK("vda", "<driver io='native'/>")}, "io='native'", "disk/driver"},
        {{.devices = DISK("vda", "<driver rerror_policy='enospace'/>")}, "enospace", "driver"},
        {{.devices = DISK("vda", "<boot order='0'/>")}, "'0'", "line 6: domain/devices/disk/boot"},
        {{.devices = DISK("vda", "<address type='drive'/>")}, "'drive'", "line 6: disk vda"},
        {{.devices = DISK("vda", "<address type='pci' slot='0x20'/>")}, "'0x20'", "disk/address"},
        {{.devices = DISK("vda", "<address type='pci' domain='1' slot='3'/>")}, "'1'", "address"},
        {{.devices = DISK("vda", "<alias name='ua,b'/>")}, "'ua,b'", "disk/alias"},
        {{.devices = DISK("vda", "<alias name='ua-b'/>") DISK("vdb", "<alias name='ua-b'/>")},
         "'ua-b'",
         "line 6: disk vdb"},
        {{.devices = DISK("vda", "<boot order='1'/>") DISK("vdb", "<boot order='1'/>")},
         "boot order 1",
         "line 6: disk vdb"},
        {{.os = "<os><type>hvm</type><boot dev='hd'/></os>",
          .devices = DISK("vda", "<boot order='1'/>")},
         "<boot dev",
         "line 6: disk vda"},
        {{.devices = "<disk type='file'><source file='aa'/><target dev='vda'/></disk>"},
         "not an absolute path",
         "line 6: domain/devices/disk/source"},
        {{.devices = "<disk type='file' device='cdrom'><target dev='vda'/></disk>"},
         "cdrom",
         "line 6: domain/devices/disk/target"},
        {{.devices = "<disk type='network'><source protocol='nbd'><host name='a,b'/></source>"
                     "<target dev='vda'/></disk>"},
         "'a,b'",
         "disk/source/host"},
        {{.devices = "<disk type='network'><source protocol='nbd'><host name='a' port='65536'/>"
                     "</source><target dev='vda'/></disk>"},
         "'65536'",
         "disk/source/host"},
        {{.devices = DISK("vda", "<iotune><total_bytes_sec>1</total_bytes_sec>"
                                 "<read_bytes_sec>1</read_bytes_sec></iotune>")},
         "excludes",
         "line 6: domain/devices/disk/iotune"},
        {{.devices = DISK("vda", "<iotune><read_iops_sec_max>5</read_iops_sec_max></iotune>")},
         "read_iops_sec",
         "disk/iotune"},
        {{.devices = DISK("vda", "<iotune><size_iops_sec>many</size_iops_sec></iotune>")},
         "'many'",
         "disk/iotune/size_iops_sec"},
        {{.devices = "<controller type='scsi' model='qemu-xhci'/>"}, "'qemu-xhci'", "controller"},
        {{.devices = "<controller type='pci' index='0' model='pci-root'/>"}, "pci-root", "line 6"},
        {{.devices = "<controller type='pci' index='1' model='pcie-root'/>"},
         "pcie-root",
         "line 6"},
        {{.devices = "<controller type='usb' index='256'/>"}, "'256'", "line 6"},
        {{.devices = "<controller type='usb' index='1'/><controller type='usb' index='1'/>"},
         "two usb controllers 1",
         "line 6"},
        {{.devices = "<controller type='usb' model='none'/><controller type='usb'/>"},
         "'none'",
         "line 6: domain/devices/controller"},
        {{.devices = "<controller type='ide'/>"}, "ide", "line 6"},
        {{.devices = "<controller type='pci' model='pcie-root-port'><model name='ioh3420'/>"
                     "</controller>"},
         "'ioh3420'",
         "controller/model"},
        {{.devices = "<interface type='user'><mac address='01:00:00:00:00:00'/></interface>"},
         "'01:00:00:00:00:00'",
         "interface/mac"},
        {{.devices = "<interface type='user'><mac address='52:54:00:00:00:0'/></interface>"},
         "'52:54:00:00:00:0'",
         "interface/mac"},
        {{.devices = "<interface type='user'><mac address='52:54:00:00:00:01'/></interface>"
                     "<interface type='user'><mac address='52:54:00:00:00:01'/></interface>"},
         "52:54:00:00:00:01",
         "line 6: domain/devices/interface"},
        {{.devices = "<console type='pty'/><console type='pty'/>"}, "first console", "line 6"},
        {{.devices = "<channel type='spicevmc'><target type='virtio'/></channel>"},
         "spice",
         "line 6: domain/devices/channel"},
        {{.devices = "<serial type='spicevmc'/>"}, "'spicevmc'", "line 6: domain/devices/serial"},
        {{.devices = "<serial type='pty'><target type='virtio'/></serial>"}, "'virtio'", "target"},
        {{.devices = "<serial type='pty'><target port='1'/></serial>"
                     "<serial type='pty'><target port='1'/></serial>"},
         "two serial ports 1",
         "line 6"},
        {{.devices = "<input type='tablet' bus='ps2'/>"}, "tablet", "line 6"},
        {{.devices = "<input type='tablet'><address type='usb' bus='0' port='0'/></input>"},
         "'0'",
         "input/address"},
        {{.devices = "<graphics type='vnc' port='80'/>"}, "80", "line 6: domain/devices/graphics"},
        {{.devices = "<graphics type='vnc'/><graphics type='vnc'/>"},
         "two",
         "line 6: domain/devices/graphics"},
        {{.devices = "<graphics type='vnc' listen='a b'/>"}, "'a b'", "line 6"},
        {{.devices = "<graphics type='vnc' listen='::1'><listen type='address' address='::2'/>"
                     "</graphics>"},
         "differs",
         "graphics/listen"},
        {{.devices = "<video><model type='none'/></video><video/>"}, "'none'", "line 6"},
        {{.devices = "<video/><video/>"}, "second video", "line 6"},
        {{.devices = "<graphics type='vnc' passwd='a&#9;b'/>"}, "control character", "graphics"},
    };

    check(refusals, G_N_ELEMENTS(refusals));
}

static void test_long_name(void)
{
    g_autofree char *name = g_strnfill(255, 'n');
    g_autofree char *element = g_strdup_printf("<name>%s</name>", name);
    g_autofree char *longer = g_strdup_printf("<name>%sn</name>", name);
    Parts parts = {.name = element};
    g_autofree char *good = build(&parts);
    g_autoptr(VbDomainDef) def = model_define(good, VB_XML_NONE);

    g_assert_cmpuint(strlen(def->name), ==, 255);
    parts.name = longer;
    g_autofree char *bad = build(&parts);
    refuse(bad, -1, VB_ERROR_INVALID_XML, "255", "domain/name");
}

static void test_not_xml(void)
{
    refuse("", -1, VB_ERROR_INVALID_XML, "well-formed", "line 1");
    refuse("<domain", -1, VB_ERROR_INVALID_XML, "well-formed", "line 1");
    refuse("<domain>\n\n<a></b></domain>", -1, VB_ERROR_INVALID_XML, "well-formed", "line 3");
    refuse("<a/>", -1, VB_ERROR_INVALID_XML, "<a>", "line 1");
    refuse("<domain xmlns='urn:x'/>", -1, VB_ERROR_INVALID_XML, "<domain>", "line 1");
    refuse("<domain>\xff</domain>", -1, VB_ERROR_INVALID_XML, "UTF-8", "byte 8");
    refuse("<domain>\0</domain>", 18, VB_ERROR_INVALID_XML, "UTF-8", "byte 8");
    refuse("<domain>&undeclared;</domain>", -1, VB_ERROR_INVALID_XML, "undeclared", "line 1");
    refuse("<domain a='1' a='2'/>", -1, VB_ERROR_INVALID_XML, "well-formed", "line 1");
}

/* No DTD at all: so there are no entities that could grow, and nothing to load. */
static void test_dtd(void)
{
    refuse("<!DOCTYPE domain><domain/>", -1, VB_ERROR_INVALID_XML, "DTD", "line 1");
    refuse("<!DOCTYPE domain SYSTEM 'http://localhost:1/x.dtd'><domain/>", -1, VB_ERROR_INVALID_XML,
           "DTD", "line 1");
    refuse("<!DOCTYPE domain [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><domain>&x;</domain>", -1,
           VB_ERROR_INVALID_XML, "DTD", "line 1");

    g_autoptr(GString) bomb = g_string_new("<!DOCTYPE domain [<!ENTITY e0 'ha'>");
    for (int i = 1; i <= 30; i++)
        g_string_append_printf(bomb, "<!ENTITY e%d '&e%d;&e%d;&e%d;&e%d;'>", i, i - 1, i - 1, i - 1,
                               i - 1);
    g_string_append(bomb, "]><domain><name>&e30;</name></domain>");
    refuse(bomb->str, -1, VB_ERROR_INVALID_XML, "DTD", "line 1");
}

static void test_size(void)
{
    g_autoptr(GString) xml = g_string_new(NULL);
    Parts parts = {0};
    g_autofree char *small = build(&parts);

    /* To the byte, with blanks behind the document. */
    g_string_append(xml, small);
    while (xml->len < 4 * 1024 * 1024)
        g_string_append_c(xml, ' ');
    g_autoptr(VbDomainDef) def = model_define(xml->str, VB_XML_NONE);
    g_assert_nonnull(def);
    g_string_append_c(xml, ' ');
    refuse(xml->str, -1, VB_ERROR_LIMITS_EXCEEDED, "4194305", "4194304");
}

static char *nested_metadata(guint depth)
{
    g_autoptr(GString) more = g_string_new("<metadata>");

    for (guint i = 0; i < depth; i++)
        g_string_append(more, "<a>");
    for (guint i = 0; i < depth; i++)
        g_string_append(more, "</a>");
    g_string_append(more, "</metadata>");
    Parts parts = {.more = more->str};
    return build(&parts);
}

static void test_depth(void)
{
    g_autofree char *good = nested_metadata(VB_XML_MAX_DEPTH - 2);
    g_autofree char *bad = nested_metadata(VB_XML_MAX_DEPTH - 1);
    g_autofree char *very_bad = nested_metadata(100000);
    g_autoptr(VbDomainDef) def = model_define(good, VB_XML_NONE);

    g_assert_nonnull(def);
    refuse(bad, -1, VB_ERROR_LIMITS_EXCEEDED, "deeper than 240", "line 5");
    refuse(very_bad, -1, VB_ERROR_LIMITS_EXCEEDED, "deeper than 240", "line 5");
}

static void test_device_count(void)
{
    g_autoptr(GString) devices = g_string_new(NULL);
    Parts parts = {0};

    for (int i = 0; i < 1024; i++)
        g_string_append_printf(devices,
                               "<disk type='file'><source file='/d%d'/>"
                               "<target dev='vd%d'/></disk>",
                               i, i);
    parts.devices = devices->str;
    g_autofree char *good = build(&parts);
    g_autoptr(GError) error = NULL;
    g_autoptr(VbDomainDef) def = vb_domain_def_parse(good, -1, VB_XML_NONE, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(def->disks->len, ==, 1024);
    g_string_append(devices, "<input type='mouse'/>");
    parts.devices = devices->str;
    g_autofree char *bad = build(&parts);
    refuse(bad, -1, VB_ERROR_LIMITS_EXCEEDED, "1024", "line 6: domain/devices/input");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/domain-errors/base", test_base);
    g_test_add_func("/domain-errors/not-understood", test_not_understood);
    g_test_add_func("/domain-errors/not-supported", test_not_supported);
    g_test_add_func("/domain-errors/missing", test_missing);
    g_test_add_func("/domain-errors/values", test_values);
    g_test_add_func("/domain-errors/long-name", test_long_name);
    g_test_add_func("/domain-errors/not-xml", test_not_xml);
    g_test_add_func("/domain-errors/dtd", test_dtd);
    g_test_add_func("/domain-errors/size", test_size);
    g_test_add_func("/domain-errors/depth", test_depth);
    g_test_add_func("/domain-errors/device-count", test_device_count);
    return g_test_run();
}
