/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What of the host a document names, and which of it is harmless. The list is held against three
 * things that do not know it: every value of a formatted document that looks like a path, a
 * document with one of each use, and the places where src/model reads a path. */
#include "host-resource.h"

#include <libxml/parser.h>
#include <string.h>

#include "model-fixture.h"

/* ---- every path of a document is listed -------------------------------------------------------
 */

/* Values that may begin with '/' and are no path of the host that the document asks for. */
static const char *const exceptions[] = {
    "domain/name", "domain/title", "domain/description",
    "domain/os/cmdline",                  /* the guest kernel's arguments */
    "domain/devices/disk/source@name",    /* an NBD export: the server's name for it */
    "domain/devices/disk/serial",         /* shown to the guest */
    "domain/devices/channel/target@name", /* a name in the guest */
    "domain/devices/graphics@passwd",     /* a secret */
    /* QEMU's choice: */
    "domain/devices/serial[pty]/source@path", "domain/devices/parallel[pty]/source@path",
    "domain/devices/console[pty]/source@path", "domain/devices/console[pty]@tty",
    "domain/devices/channel[pty]/source@path", NULL};

static gboolean is_listed(const GPtrArray *resources, const char *path)
{
    for (guint i = 0; i < resources->len; i++)
        if (g_str_equal(((const VbHostResource *)resources->pdata[i])->path, path))
            return TRUE;
    return FALSE;
}

typedef struct {
    const char *document;
    const GPtrArray *resources;
    guint n_paths, n_servers;
} Scan;

static void scan_value(Scan *scan, const char *where, const char *value)
{
    if (value[0] != '/' || g_strv_contains(exceptions, where))
        return;
    if (!is_listed(scan->resources, value))
        g_error("%s: %s is '%s', and vb_domain_def_host_resources() does not list it",
                scan->document, where, value);
    scan->n_paths++;
}

/* <host name= port=>: listed as an address that holds both. */
static void scan_server(Scan *scan, xmlNode *host)
{
    g_autofree char *wanted = NULL;
    xmlChar *name = xmlGetProp(host, BAD_CAST "name");
    xmlChar *port = xmlGetProp(host, BAD_CAST "port");
    gboolean found = FALSE;

    if (name) {
        wanted = g_strdup_printf(strchr((char *)name, ':') ? "nbd://[%s]:%s/" : "nbd://%s:%s/",
                                 (char *)name, (char *)port);
        for (guint i = 0; i < scan->resources->len; i++) {
            const VbHostResource *resource = scan->resources->pdata[i];

            found |=
                resource->use == VB_HOST_NBD_SERVER && g_str_has_prefix(resource->path, wanted);
        }
        if (!found)
            g_error("%s: the server %s is not listed", scan->document, wanted);
        scan->n_servers++;
    }
    xmlFree(name);
    xmlFree(port);
}

static void scan_element(Scan *scan, xmlNode *element, const char *parent)
{
    const char *name = (const char *)element->name;
    xmlChar *type = xmlGetProp(element, BAD_CAST "type");
    const char *note = g_strcmp0((char *)type, "pty") == 0 ? "[pty]" : "";
    g_autofree char *where = g_strconcat(parent, parent[0] ? "/" : "", name, note, NULL);

    xmlFree(type);
    if (g_str_equal(where, "domain/metadata")) /* belongs to others, and nothing here reads it */
        return;
    if (g_str_equal(name, "host"))
        scan_server(scan, element);
    for (xmlAttr *attr = element->properties; attr; attr = attr->next) {
        xmlChar *value = xmlGetProp(element, attr->name);
        g_autofree char *key = g_strconcat(where, "@", (const char *)attr->name, NULL);

        scan_value(scan, key, (const char *)value);
        xmlFree(value);
    }
    for (xmlNode *child = element->children; child; child = child->next) {
        if (child->type == XML_ELEMENT_NODE)
            scan_element(scan, child, where);
        else if (child->type == XML_TEXT_NODE)
            scan_value(scan, where, (const char *)child->content);
    }
}

static Scan scan_definition(const char *name, const VbDomainDef *def)
{
    g_autofree char *xml = vb_domain_def_format(def, VB_FORMAT_LIVE | VB_FORMAT_SECURE);
    g_autoptr(GPtrArray) resources = vb_domain_def_host_resources(def);
    xmlDoc *doc = xmlReadMemory(xml, (int)strlen(xml), NULL, NULL, XML_PARSE_NONET);
    Scan scan = {name, resources, 0, 0};

    g_assert_nonnull(doc);
    scan_element(&scan, xmlDocGetRootElement(doc), "");
    xmlFreeDoc(doc);
    scan.resources = NULL;
    return scan;
}

static void test_documents(void)
{
    g_autoptr(GPtrArray) names = model_documents();
    guint n_paths = 0, n_servers = 0;

    for (guint i = 0; i < names->len; i++) {
        g_autofree char *xml = model_read_document(names->pdata[i]);

        for (VbXmlFlags flags = VB_XML_NONE; flags <= VB_XML_LIVE; flags++) {
            g_autoptr(VbDomainDef) def = model_define(xml, flags);
            Scan scan = scan_definition(names->pdata[i], def);

            n_paths += scan.n_paths;
            n_servers += scan.n_servers;
        }
    }
    /* The scan sees something: otherwise it could not fail. */
    g_assert_cmpuint(n_paths, >=, 30);
    g_assert_cmpuint(n_servers, >=, 4);
}

/* ---- one of each ------------------------------------------------------------------------------
 */

static const char everything[] =
    "<domain type='qemu'><name>all</name><memory>65536</memory>"
    "<os><type machine='q35'>hvm</type>"
    "<loader readonly='no' type='pflash'>/r/loader</loader>"
    "<nvram template='/r/template'>/r/nvram</nvram>"
    "<kernel>/r/kernel</kernel><initrd>/r/initrd</initrd><cmdline>/guest</cmdline></os>"
    "<devices><emulator>/r/emulator</emulator>"
    "<disk type='file'><driver type='qcow2'/><source file='/r/disk'/>"
    "<backingStore type='block'><format type='qcow2'/><source dev='/r/backing'/>"
    "<backingStore type='network'><format type='raw'/>"
    "<source protocol='nbd' name='base'><host name='fd00::1' port='10810'/></source>"
    "<backingStore/></backingStore></backingStore><target dev='vda'/></disk>"
    "<disk type='block' device='cdrom'><source dev='/r/cdrom'/><target dev='sda'/></disk>"
    "<disk type='network'><driver type='raw'/><source protocol='nbd' name='/an/export'>"
    "<host transport='unix' socket='/r/nbd'/></source><target dev='vdb'/></disk>"
    "<disk type='network'><driver type='raw'/><source protocol='nbd'><host name='host'/></source>"
    "<target dev='vdc'/><readonly/></disk>"
    "<interface type='bridge'><source bridge='br0'/></interface>"
    "<interface type='ethernet'/>"
    "<interface type='ethernet'><target dev='made'/></interface>"
    "<interface type='ethernet'><target dev='given' managed='no'/></interface>"
    "<interface type='network'><source network='default'/><target dev='tap1'/></interface>"
    "<interface type='user'><portForward proto='tcp'><range start='22'/></portForward></interface>"
    "<serial type='file'><source path='/r/serial'/></serial>"
    "<serial type='pty'/>"
    "<parallel type='unix'><source mode='connect' path='/r/parallel'/></parallel>"
    "<console type='file'><source path='/r/serial'/></console>"
    "<console type='file'><source path='/r/console'/><target type='virtio'/></console>"
    "<channel type='unix'><source mode='bind' path='/r/channel'/>"
    "<target type='virtio' name='/in/the/guest'/></channel>"
    "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
    "<graphics type='vnc' socket='/r/vnc'/>"
    "<graphics type='spice'><listen type='socket' socket='/r/spice'/></graphics>"
    "<rng model='virtio'><backend model='random'>/r/rng</backend></rng>"
    "<rng model='virtio'><backend model='builtin'/></rng>"
    "</devices></domain>";

static const VbHostResource everything_listed[] = {
    {VB_HOST_LOADER, (char *)"/r/loader", TRUE, FALSE},
    {VB_HOST_NVRAM_TEMPLATE, (char *)"/r/template", FALSE, FALSE},
    {VB_HOST_NVRAM, (char *)"/r/nvram", TRUE, TRUE},
    {VB_HOST_KERNEL, (char *)"/r/kernel", FALSE, FALSE},
    {VB_HOST_INITRD, (char *)"/r/initrd", FALSE, FALSE},
    {VB_HOST_EMULATOR, (char *)"/r/emulator", FALSE, FALSE},
    {VB_HOST_DISK, (char *)"/r/disk", TRUE, FALSE},
    {VB_HOST_BACKING_IMAGE, (char *)"/r/backing", FALSE, FALSE},
    {VB_HOST_NBD_SERVER, (char *)"nbd://[fd00::1]:10810/base", FALSE, FALSE},
    {VB_HOST_DISK, (char *)"/r/cdrom", FALSE, FALSE},
    {VB_HOST_NBD_SOCKET, (char *)"/r/nbd", TRUE, FALSE},
    {VB_HOST_NBD_SERVER, (char *)"nbd://host:10809/", FALSE, FALSE},
    {VB_HOST_BRIDGE, (char *)"br0", TRUE, FALSE},
    {VB_HOST_TAP, (char *)"vnet", TRUE, TRUE},
    {VB_HOST_TAP, (char *)"made", TRUE, TRUE},
    {VB_HOST_TAP, (char *)"given", TRUE, FALSE},
    {VB_HOST_CHAR_FILE, (char *)"/r/serial", TRUE, TRUE},
    {VB_HOST_CHAR_SOCKET, (char *)"/r/parallel", TRUE, FALSE},
    {VB_HOST_CHAR_FILE, (char *)"/r/console", TRUE, TRUE},
    {VB_HOST_CHAR_SOCKET, (char *)"/r/channel", TRUE, TRUE},
    {VB_HOST_GRAPHICS_SOCKET, (char *)"/r/vnc", TRUE, TRUE},
    {VB_HOST_GRAPHICS_SOCKET, (char *)"/r/spice", TRUE, TRUE},
    {VB_HOST_RNG_DEVICE, (char *)"/r/rng", FALSE, FALSE},
};

static void assert_resources(const GPtrArray *resources, const VbHostResource *wanted, gsize n)
{
    for (guint i = 0; i < MIN(n, resources->len); i++) {
        const VbHostResource *resource = resources->pdata[i];

        g_assert_cmpstr(resource->path, ==, wanted[i].path);
        g_assert_cmpint(resource->use, ==, wanted[i].use);
        g_assert_cmpint(resource->write, ==, wanted[i].write);
        g_assert_cmpint(resource->create, ==, wanted[i].create);
    }
    g_assert_cmpuint(resources->len, ==, n);
}

static void test_everything(void)
{
    g_autoptr(VbDomainDef) def = model_define(everything, VB_XML_NONE);
    g_autoptr(GPtrArray) resources = vb_domain_def_host_resources(def);
    Scan scan = scan_definition("everything", def);
    guint seen = 1u << VB_HOST_TFTP_ROOT; /* a network's: test_network() */

    assert_resources(resources, everything_listed, G_N_ELEMENTS(everything_listed));
    g_assert_cmpuint(scan.n_servers, ==, 2);
    /* Two servers, a bridge and three taps are no paths. */
    g_assert_cmpuint(scan.n_paths, >=, G_N_ELEMENTS(everything_listed) - 6);
    for (guint i = 0; i < resources->len; i++) {
        const VbHostResource *resource = resources->pdata[i];

        seen |= 1u << resource->use;
        g_assert_nonnull(vb_host_use_to_string(resource->use));
    }
    g_assert_cmpuint(seen, ==, (1u << VB_N_HOST_USES) - 1);
}

static void test_nothing(void)
{
    g_autofree char *xml = model_document("pc", "<disk type='file' device='cdrom'>"
                                                "<target dev='sda'/></disk>");
    g_autoptr(VbDomainDef) def = model_define(xml, VB_XML_NONE);
    g_autoptr(GPtrArray) resources = vb_domain_def_host_resources(def);

    g_assert_cmpuint(resources->len, ==, 0);
}

static void test_chain(void)
{
    static const VbHostResource listed[] = {
        {VB_HOST_DISK, (char *)"/top", TRUE, FALSE},
        {VB_HOST_BACKING_IMAGE, (char *)"/base", FALSE, FALSE},
    };
    g_autoptr(VbDiskSource) top = vb_disk_source_new(VB_DISK_SOURCE_FILE, VB_DISK_FORMAT_QCOW2);

    top->path = g_strdup("/top");
    top->backing = vb_disk_source_new(VB_DISK_SOURCE_BLOCK, VB_DISK_FORMAT_RAW);
    top->backing->path = g_strdup("/base");
    g_autoptr(GPtrArray) written = vb_disk_source_host_resources(top, TRUE);
    g_autoptr(GPtrArray) read = vb_disk_source_host_resources(top->backing, FALSE);

    assert_resources(written, listed, G_N_ELEMENTS(listed));
    g_assert_cmpuint(read->len, ==, 1);
    g_assert_cmpint(((VbHostResource *)read->pdata[0])->use, ==, VB_HOST_DISK);
    g_assert_false(((VbHostResource *)read->pdata[0])->write);
}

static void test_network(void)
{
    static const struct {
        const char *xml;
        VbHostResource resource;
    } networks[] = {
        {"<network><name>net</name><bridge name='net0'/><forward mode='nat' dev='up0'/>"
         "<ip family='ipv6' address='fd00::1' prefix='64'/>"
         "<ip address='192.0.2.1' prefix='24'><tftp root='/r/boot'/></ip></network>",
         {VB_HOST_TFTP_ROOT, (char *)"/r/boot", FALSE, FALSE}},
        {"<network><name>net</name><forward mode='bridge'/><bridge name='br0'/></network>",
         {VB_HOST_BRIDGE, (char *)"br0", TRUE, FALSE}},
    };

    for (guint i = 0; i < G_N_ELEMENTS(networks); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(VbNetworkDef) def =
            vb_network_def_parse(networks[i].xml, -1, VB_XML_NONE, &error);

        g_assert_no_error(error);
        g_autoptr(GPtrArray) resources = vb_network_def_host_resources(def);
        assert_resources(resources, &networks[i].resource, 1);
    }
    g_assert_nonnull(vb_host_use_to_string(VB_HOST_TFTP_ROOT));
}

/* The name of a time zone is the name of a file for QEMU's C library: it stays where those lie. */
static void test_timezone(void)
{
    static const char *const bad[] = {"/etc/shadow", "../../../etc/shadow", "Europe/../../x", "/",
                                      ":/etc/shadow"};
    static const char *const good[] = {"Europe/Berlin", "UTC", "Etc/GMT+1",
                                       "America/Port-au-Prince"};

    for (gsize i = 0; i < G_N_ELEMENTS(bad) + G_N_ELEMENTS(good); i++) {
        gboolean is_good = i >= G_N_ELEMENTS(bad);
        g_autofree char *xml =
            g_strdup_printf("<domain type='qemu'><name>x</name><memory>65536</memory>"
                            "<os><type>hvm</type></os>"
                            "<clock offset='timezone' timezone='%s'/></domain>",
                            is_good ? good[i - G_N_ELEMENTS(bad)] : bad[i]);
        g_autoptr(GError) error = NULL;
        g_autoptr(VbDomainDef) def = vb_domain_def_parse(xml, -1, VB_XML_NONE, &error);

        if (is_good)
            g_assert_no_error(error);
        else
            model_assert_error(&error, VB_ERROR_INVALID_XML, "timezone", bad[i], NULL);
    }
}

/* A path gets into a definition through three functions. Whoever calls one more of them has a path
 * more: it belongs in vb_domain_def_host_resources(), in `everything` above, and then here. */
static void test_readers(void)
{
    static const struct {
        const char *file;
        guint n;
    } readers[] = {
        {"backup-def.c", 1},     /* a source: vb_disk_source_host_resources() */
        {"char-xml.c", 4},       /* pty: tty and path; file; unix */
        {"device-xml.c", 1},     /* rng */
        {"disk-xml.c", 3},       /* file, dev, socket */
        {"display-xml.c", 2},    /* a socket, in two places */
        {"domain-xml.c", 1},     /* emulator */
        {"guest-xml.c", 5},      /* loader, nvram, its template, kernel, initrd */
        {"network-ip-xml.c", 1}, /* tftp: vb_network_def_host_resources() */
        {"xml-reader.c", 4},     /* the functions themselves; the third calls the second */
    };
    g_autofree char *path = g_test_build_filename(G_TEST_DIST, "..", "src", "model", NULL);
    g_autoptr(GRegex) call =
        g_regex_new("\\bvb_xml_(path_attr|path_text|child_path)\\(", G_REGEX_DEFAULT, 0, NULL);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;

    g_assert_nonnull(dir);
    while ((name = g_dir_read_name(dir))) {
        g_autofree char *file = g_build_filename(path, name, NULL);
        g_autofree char *text = NULL;
        g_autoptr(GMatchInfo) match = NULL;
        guint wanted = 0, n = 0;

        if (!g_str_has_suffix(name, ".c"))
            continue;
        for (gsize i = 0; i < G_N_ELEMENTS(readers); i++)
            if (g_str_equal(name, readers[i].file))
                wanted = readers[i].n;
        g_assert_true(g_file_get_contents(file, &text, NULL, NULL));
        g_regex_match(call, text, 0, &match);
        for (; g_match_info_matches(match); g_match_info_next(match, NULL))
            n++;
        if (n != wanted)
            g_error("%s reads %u paths, not %u: is each of them a host resource?", name, n, wanted);
    }
}

/* ---- where it lies ----------------------------------------------------------------------------
 */

static void test_below(void)
{
    static const struct {
        const char *path;
        const char *directories[3];
        gboolean below;
    } cases[] = {
        {"/a/b/c", {"/a/b"}, TRUE},
        {"/a/b", {"/a/b"}, TRUE},
        {"/a/bc", {"/a/b"}, FALSE},
        {"/a", {"/a/b"}, FALSE},
        {"/a/b/c", {"/a/b/"}, TRUE},
        {"/a/b/", {"/a/b"}, TRUE},
        {"/a/bc", {"/a/b/"}, FALSE},
        {"//a///b//c", {"/a/b"}, TRUE},
        {"/a/b/c", {"//a//b//"}, TRUE},
        {"/./a/./b/./c/.", {"/a/b"}, TRUE},
        {"/a/b/c", {"/a/./b"}, TRUE},
        {"/a/b/../../etc/shadow", {"/a/b"}, FALSE},
        {"/a/b/..", {"/a/b"}, FALSE},
        {"/a/b/link/../x", {"/a/b"}, FALSE},
        {"/../a/b/c", {"/a/b"}, FALSE},
        {"/a/b/c", {"/a/b/../b"}, FALSE},
        {"/a/b/..c", {"/a/b"}, TRUE},
        {"/a/b/c..", {"/a/b"}, TRUE},
        {"/a/b/...", {"/a/b"}, TRUE},
        {"/a/b", {"/"}, TRUE},
        {"/", {"/"}, TRUE},
        {"/a/b/../c", {"/"}, FALSE},
        {"/x/y", {"/a", "/x"}, TRUE},
        {"/z", {"/a", "/x"}, FALSE},
        {"/a", {NULL}, FALSE},
        {"a/b", {"/a", "/"}, FALSE},
        {"nbd://host:10809/a", {"/", "nbd:"}, FALSE},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const VbHostResource resource = {VB_HOST_DISK, (char *)cases[i].path, TRUE, FALSE};

        if (vb_host_resource_is_below(&resource, cases[i].directories) != cases[i].below)
            g_error("case %" G_GSIZE_FORMAT ": %s", i, cases[i].path);
        g_assert_cmpint(vb_host_resource_needs_access(&resource, cases[i].directories), ==,
                        !cases[i].below);
    }
}

/* What is harmless outside of the image directories, and what is not inside of them. */
static void test_access(void)
{
    static const char *const images[] = {"/images", NULL};
    static const char *const none[] = {NULL};
    static const struct {
        VbHostUse use;
        const char *path;
        gboolean write, needs;
    } cases[] = {
        {VB_HOST_EMULATOR, "/usr/bin/qemu-system-x86_64", FALSE, FALSE},
        {VB_HOST_EMULATOR, "/usr//bin/./qemu-system-i386", FALSE, FALSE},
        {VB_HOST_EMULATOR, "/usr/bin/qemu-system-", FALSE, TRUE},
        {VB_HOST_EMULATOR, "/usr/bin/qemu-system-x/y", FALSE, TRUE},
        {VB_HOST_EMULATOR, "/usr/bin/qemu-system-x86_64/../python3", FALSE, TRUE},
        {VB_HOST_EMULATOR, "/usr/bin/python3", FALSE, TRUE},
        {VB_HOST_EMULATOR, "/usr/local/bin/qemu-system-x86_64", FALSE, TRUE},
        {VB_HOST_EMULATOR, "/images/qemu-system-x86_64", FALSE, TRUE},
        {VB_HOST_DISK, "/usr/bin/qemu-system-x86_64", FALSE, TRUE},
        {VB_HOST_LOADER, "/usr/share/OVMF/OVMF_CODE_4M.fd", FALSE, FALSE},
        {VB_HOST_LOADER, "/usr/share/OVMF/OVMF_CODE_4M.fd", TRUE, TRUE},
        {VB_HOST_LOADER, "/usr/share/seabios/bios.bin", FALSE, FALSE},
        {VB_HOST_LOADER, "/usr/share/OVMFs/x", FALSE, TRUE},
        {VB_HOST_LOADER, "/usr/share/OVMF/../secret", FALSE, TRUE},
        {VB_HOST_LOADER, "/usr/share/secret", FALSE, TRUE},
        {VB_HOST_LOADER, "/images/my.fd", TRUE, FALSE},
        {VB_HOST_NVRAM_TEMPLATE, "/usr/share/OVMF/OVMF_VARS_4M.fd", FALSE, FALSE},
        {VB_HOST_NVRAM_TEMPLATE, "/etc/shadow", FALSE, TRUE},
        {VB_HOST_NVRAM, "/usr/share/OVMF/OVMF_VARS_4M.fd", TRUE, TRUE},
        {VB_HOST_NVRAM, "/images/a.fd", TRUE, FALSE},
        {VB_HOST_RNG_DEVICE, "/dev/urandom", FALSE, FALSE},
        {VB_HOST_RNG_DEVICE, "/dev/random", FALSE, FALSE},
        {VB_HOST_RNG_DEVICE, "/dev//hwrng", FALSE, FALSE},
        {VB_HOST_RNG_DEVICE, "/dev/sda", FALSE, TRUE},
        {VB_HOST_RNG_DEVICE, "/dev/urandom/..", FALSE, TRUE},
        {VB_HOST_DISK, "/dev/urandom", FALSE, TRUE},
        {VB_HOST_DISK, "/images/a", TRUE, FALSE},
        {VB_HOST_BACKING_IMAGE, "/etc/shadow", FALSE, TRUE},
        {VB_HOST_KERNEL, "/boot/vmlinuz", FALSE, TRUE},
        {VB_HOST_INITRD, "/images/initrd", FALSE, FALSE},
        {VB_HOST_NBD_SOCKET, "/run/docker.sock", TRUE, TRUE},
        {VB_HOST_NBD_SERVER, "nbd://localhost:10809/", FALSE, TRUE},
        {VB_HOST_CHAR_FILE, "/root/.ssh/authorized_keys", TRUE, TRUE},
        {VB_HOST_CHAR_SOCKET, "/run/docker.sock", TRUE, TRUE},
        {VB_HOST_GRAPHICS_SOCKET, "/run/x", TRUE, TRUE},
        {VB_HOST_BRIDGE, "br0", TRUE, TRUE},
        {VB_HOST_TAP, "vnet", TRUE, TRUE},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const VbHostResource resource = {cases[i].use, (char *)cases[i].path, cases[i].write,
                                         FALSE};

        if (vb_host_resource_needs_access(&resource, images) != cases[i].needs)
            g_error("case %" G_GSIZE_FORMAT ": %s", i, cases[i].path);
        if (cases[i].needs)
            g_assert_true(vb_host_resource_needs_access(&resource, none));
        g_assert_false(vb_host_resource_needs_access(&resource, NULL));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/host-resource/documents", test_documents);
    g_test_add_func("/host-resource/everything", test_everything);
    g_test_add_func("/host-resource/nothing", test_nothing);
    g_test_add_func("/host-resource/chain", test_chain);
    g_test_add_func("/host-resource/network", test_network);
    g_test_add_func("/host-resource/timezone", test_timezone);
    g_test_add_func("/host-resource/readers", test_readers);
    g_test_add_func("/host-resource/below", test_below);
    g_test_add_func("/host-resource/access", test_access);
    return g_test_run();
}
