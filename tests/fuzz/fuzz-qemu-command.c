/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The command line. The input is a row of strings, each ended by NUL and begun by a letter that
 * says where in a document it is put: "na,file=x" is the name "a,file=x". What the document says,
 * refused or not, the arguments are those of the same document with harmless strings: as QEMU reads
 * them, each string is where the harmless one was, whole, and everything else is as it was. */
#include <json-glib/json-glib.h>
#include <string.h>

#include "blockdev.h"
#include "qemu-command-caps.h"
#include "qemu-command.h"

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size);

/* ---- documents --------------------------------------------------------------------------------
 */

/* A place where a user's string can stand. The harmless one is found nowhere else. */
typedef struct {
    char letter; /* in the documents: @n@ */
    const char *harmless;
} Place;

static const Place places[] = {
    {'n', "harmless-name"},
    {'t', "harmless-title"},
    {'d', "harmless-description"},
    {'m', "harmless-metadata"},
    {'k', "/harmless/kernel"},
    {'i', "/harmless/initrd"},
    {'a', "harmless-cmdline"},
    {'b', "/harmless/bios"},
    {'l', "/harmless/loader"},
    {'v', "/harmless/nvram"},
    {'f', "harmless-feature"},
    {'z', "Harmless/Zone"},
    {'e', "/harmless/emulator"},
    {'D', "/harmless/disk"},
    {'B', "/harmless/backing"},
    {'H', "/harmless/device"},
    {'T', "vdharmless"},
    {'S', "harmless-serial"},
    {'h', "harmless.host"},
    {'x', "harmless-export"},
    {'X', "harmless-other-export"},
    {'s', "/harmless/nbd.sock"},
    {'M', "52:54:00:ab:cd:ef"},
    {'A', "ua-harmless"},
    {'F', "/harmless/log"},
    {'C', "/harmless/channel.sock"},
    {'P', "harmless-port"},
    {'R', "/harmless/random"},
    {'V', "/harmless/vnc.sock"},
    {'W', "harmless-passwd"},
    {'K', "harmless-keymap"},
    {'L', "harmless.listen"},
    {'g', "harmless-group"},
};

#define N_PLACES G_N_ELEMENTS(places)
#define BASICS                                                                                     \
    "<domain type='qemu'><name>@n@</name><uuid>11111111-2222-4333-8444-555555555555</uuid>"        \
    "<title>@t@</title><description>@d@</description>"                                             \
    "<metadata><x:y xmlns:x='urn:x'>@m@</x:y></metadata><memory>65536</memory>"

static const char *const documents[] = {
    BASICS
    "<os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type><loader type='rom'>@b@</loader>"
    "<kernel>@k@</kernel><initrd>@i@</initrd><cmdline>@a@</cmdline></os>"
    "<cpu mode='maximum'><feature policy='require' name='@f@'/></cpu>"
    "<devices><emulator>@e@</emulator>"
    "<disk type='file'><driver name='qemu' type='qcow2'/><source file='@D@'/>"
    "<backingStore type='network'><format type='raw'/>"
    "<source protocol='nbd' name='@x@'><host name='@h@'/></source><backingStore/>"
    "</backingStore><target dev='@T@' bus='virtio'/><serial>@S@</serial>"
    "<iotune><total_iops_sec>9</total_iops_sec><group_name>@g@</group_name></iotune>"
    "<alias name='@A@'/></disk>"
    "<serial type='file'><source path='@F@'/></serial>"
    "<channel type='unix'><source mode='bind' path='@C@'/>"
    "<target type='virtio' name='@P@'/></channel>"
    "<graphics type='vnc' passwd='@W@' keymap='@K@'><listen type='socket' socket='@V@'/>"
    "</graphics></devices></domain>",
    BASICS "<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type>"
           "<loader readonly='yes' type='pflash'>@l@</loader><nvram>@v@</nvram></os>"
           "<clock offset='timezone' timezone='@z@'/><devices><emulator>@e@</emulator>"
           "<disk type='block'><driver name='qemu' type='raw'/><source dev='@H@'/>"
           "<target dev='@T@' bus='sata'/>"
           "<address type='drive' controller='0' bus='0' target='0' unit='3'/></disk>"
           "<disk type='network'><driver name='qemu' type='qcow2'/>"
           "<source protocol='nbd' name='@X@'><host transport='unix' socket='@s@'/></source>"
           "<backingStore type='file'><format type='raw'/><source file='@B@'/><backingStore/>"
           "</backingStore><target dev='sdb' bus='scsi'/></disk>"
           "<interface type='user'><mac address='@M@'/><alias name='@A@'/></interface>"
           "<rng model='virtio'><backend model='random'>@R@</backend></rng>"
           "<graphics type='spice' passwd='@W@'><listen type='address' address='@L@'/></graphics>"
           "</devices></domain>",
};

/* A character of an attribute or a text, however odd: it is the reader's to refuse it. */
static void append_escaped(GString *xml, const char *text)
{
    for (const char *c = text; *c; c++) {
        if (strchr("<>&'\"\t\n\r", *c))
            g_string_append_printf(xml, "&#%d;", *c);
        else
            g_string_append_c(xml, *c);
    }
}

/* `strings`: one for each place. */
static char *fill_in(const char *document, char *const *strings)
{
    GString *xml = g_string_new(NULL);

    for (const char *c = document; *c; c++) {
        if (*c != '@') {
            g_string_append_c(xml, *c);
            continue;
        }
        for (gsize i = 0; i < N_PLACES; i++)
            if (places[i].letter == c[1])
                append_escaped(xml, strings[i]);
        c += 2;
    }
    return g_string_free(xml, FALSE);
}

/* As it is when its VM starts; NULL when it is refused. */
static VbDomainDef *read_document(const char *xml)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VbDomainDef) def = vb_domain_def_parse(xml, -1, VB_XML_NONE, &error);
    guint last_index = 0;

    if (!def || !vb_domain_def_assign_addresses(def, &error))
        return NULL;
    for (guint i = 0; i < def->disks->len; i++)
        vb_blockdev_assign_indexes(((VbDiskDef *)def->disks->pdata[i])->source, &last_index);
    return g_steal_pointer(&def);
}

/* ---- as QEMU reads it -------------------------------------------------------------------------
 */

static void flatten(JsonNode *node, const char *name, GPtrArray *said)
{
    if (JSON_NODE_HOLDS_OBJECT(node)) {
        JsonObjectIter iter;
        JsonNode *member;
        const char *key;

        json_object_iter_init(&iter, json_node_get_object(node));
        while (json_object_iter_next(&iter, &key, &member)) {
            g_autofree char *path = g_strconcat(name, ".", key, NULL);

            flatten(member, path, said);
        }
    } else if (JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING) {
        g_ptr_array_add(said, g_strdup(name));
        g_ptr_array_add(said, g_strdup(json_node_get_string(node)));
    } else {
        g_ptr_array_add(said, g_strdup(name));
        g_ptr_array_add(said, json_to_string(node, FALSE));
    }
}

static void read_json(const char *value, GPtrArray *said)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(JsonNode) node = json_from_string(value, &error);

    if (!node)
        g_error("%s: %s", error->message, value);
    flatten(node, "", said);
}

/* The text up to the next single comma. */
static char *read_value(const char **at)
{
    GString *value = g_string_new(NULL);

    for (; **at && (**at != ',' || (*at)[1] == ','); (*at)++) {
        g_string_append_c(value, **at);
        *at += **at == ',';
    }
    return g_string_free(value, FALSE);
}

/* Of a multiboot kernel: its modules. */
static void read_list(const char *value, GPtrArray *said)
{
    for (const char *at = value;; at++) {
        g_ptr_array_add(said, g_strdup("a file"));
        g_ptr_array_add(said, read_value(&at));
        if (!*at)
            return;
    }
}

/* NAME=VALUE,... where "a,,b" is one value, a first member without '=' is the value of an implied
 * name, and another one is a flag. */
static void read_members(const char *value, GPtrArray *said)
{
    for (const char *at = value;; at++) {
        gsize length = strcspn(at, "=,");

        if (at[length] == '=') {
            g_ptr_array_add(said, g_strndup(at, length));
            at += length + 1;
        } else {
            g_ptr_array_add(said, g_strdup(at == value ? "" : "a flag"));
        }
        g_ptr_array_add(said, read_value(&at));
        if (!*at)
            return;
    }
}

/* Options and members, a name and a value each, in their order. */
static GPtrArray *read_arguments(char *const *argv)
{
    static const char *const flags[] = {"-S", "-no-user-config", "-nodefaults", NULL};
    static const char *const whole[] = {"-append", "-bios", "-k", "-kernel", "-uuid", NULL};
    GPtrArray *said = g_ptr_array_new_with_free_func(g_free);

    g_ptr_array_add(said, g_strdup("the emulator"));
    g_ptr_array_add(said, g_strdup(argv[0]));
    for (guint i = 1; argv[i]; i++) {
        const char *option = argv[i];

        g_ptr_array_add(said, g_strdup("option"));
        g_ptr_array_add(said, g_strdup(option));
        if (g_strv_contains(flags, option))
            continue;
        const char *value = argv[++i];
        g_assert(value);
        for (const char *c = value; *c; c++)
            g_assert((guchar)*c >= ' ');
        if (g_strv_contains(whole, option)) {
            g_ptr_array_add(said, g_strdup(""));
            g_ptr_array_add(said, g_strdup(value));
        } else if (*value == '{') {
            read_json(value, said);
        } else if (g_str_equal(option, "-initrd")) {
            read_list(value, said);
        } else {
            read_members(value, said);
        }
    }
    return said;
}

/* ---- the same, with other strings -------------------------------------------------------------
 */

/* What a harmless text becomes: node names and ids hold a string with more around it. */
static char *replace_harmless(const char *text, char *const *strings)
{
    GString *replaced = g_string_new(NULL);

    while (*text) {
        gsize i = 0;

        while (i < N_PLACES && !g_str_has_prefix(text, places[i].harmless))
            i++;
        if (i < N_PLACES) {
            g_string_append(replaced, strings[i]);
            text += strlen(places[i].harmless);
        } else {
            g_string_append_c(replaced, *text++);
        }
    }
    return g_string_free(replaced, FALSE);
}

static void check_said(const GPtrArray *said, const GPtrArray *harmless, char *const *strings)
{
    for (guint i = 0; i < MIN(said->len, harmless->len); i++) {
        g_autofree char *expected = replace_harmless(harmless->pdata[i], strings);

        if (!g_str_equal(said->pdata[i], expected))
            g_error("%s: '%s', not '%s'", i > 0 ? (char *)said->pdata[i - 1] : "",
                    (char *)said->pdata[i], expected);
    }
    g_assert_cmpuint(said->len, ==, harmless->len);
}

/* NULL when the document is refused. */
static GPtrArray *build(const char *document, char *const *strings)
{
    static VbQemuCaps *caps;
    g_autofree char *xml = fill_in(document, strings);
    g_autoptr(VbDomainDef) def = read_document(xml);
    g_autoptr(GError) error = NULL;

    if (!caps)
        caps = test_caps_new();
    if (!def || !vb_qemu_command_check(def, caps, &error))
        return NULL;

    VbQemuCommandInput input = {def, caps, "/run/vm", 1600000000, NULL};
    g_auto(GStrv) argv = vb_qemu_command_build(&input);
    g_auto(GStrv) env = vb_qemu_command_env(def);
    g_assert(g_strv_length(env) == (def->clock.timezone != NULL));
    g_assert(!env[0] || (g_str_has_prefix(env[0], "TZ=") &&
                         g_str_equal(env[0] + strlen("TZ="), def->clock.timezone)));
    return read_arguments(argv);
}

/* Takes the strings of the input; the last one for a place counts. */
static void read_input(const char *input, gsize size, char **strings)
{
    for (gsize at = 0; at < size; at++) {
        gsize length = strnlen(input + at, size - at);

        for (gsize i = 0; length > 1 && i < N_PLACES; i++) {
            /* Another alias than a user's is not kept. */
            if (places[i].letter != input[at] ||
                (input[at] == 'A' && (length < 4 || memcmp(input + at + 1, "ua-", 3) != 0)))
                continue;
            g_free(strings[i]);
            strings[i] = g_utf8_make_valid(input + at + 1, (gssize)length - 1);
            /* A MAC address is kept in small letters. */
            for (char *c = strings[i]; places[i].letter == 'M' && *c; c++)
                *c = g_ascii_tolower(*c);
        }
        at += length;
    }
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    static GPtrArray *harmless[G_N_ELEMENTS(documents)];
    char *strings[N_PLACES];

    for (gsize i = 0; i < N_PLACES; i++)
        strings[i] = g_strdup(places[i].harmless);
    for (gsize i = 0; i < G_N_ELEMENTS(documents); i++) {
        if (!harmless[i])
            harmless[i] = build(documents[i], strings);
        g_assert(harmless[i]);
    }
    read_input((const char *)data, size, strings);
    for (gsize i = 0; i < G_N_ELEMENTS(documents); i++) {
        g_autoptr(GPtrArray) said = build(documents[i], strings);

        if (said)
            check_said(said, harmless[i], strings);
    }
    for (gsize i = 0; i < N_PLACES; i++)
        g_free(strings[i]);
    return 0;
}
