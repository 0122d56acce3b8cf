/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Values by their types. See random-value.h. */
#include "random-value.h"

#include <string.h>

#define MAX_DEPTH 12 /* of variants and containers that are made up here */

RandomPool *random_pool_new(void)
{
    RandomPool *pool = g_new(RandomPool, 1);

    pool->paths = g_ptr_array_new_with_free_func(g_free);
    pool->words = g_ptr_array_new_with_free_func(g_free);
    pool->options = g_ptr_array_new_with_free_func(g_free);
    pool->documents = g_ptr_array_new_with_free_func(g_free);
    pool->networks = g_ptr_array_new_with_free_func(g_free);
    return pool;
}

void random_pool_free(RandomPool *pool)
{
    g_ptr_array_unref(pool->paths);
    g_ptr_array_unref(pool->words);
    g_ptr_array_unref(pool->options);
    g_ptr_array_unref(pool->documents);
    g_ptr_array_unref(pool->networks);
    g_free(pool);
}

gboolean random_once_in(guint n)
{
    return g_test_rand_int_range(0, (gint32)n) == 0;
}

const char *random_word(GPtrArray *words)
{
    return words->pdata[g_test_rand_int_range(0, (gint32)words->len)];
}

#define ANY_OF(array) array[g_test_rand_int_range(0, G_N_ELEMENTS(array))]

/* ---- strings ----------------------------------------------------------------------------------
 */

/* @ stands for a digit. */
static const char *const domains[] = {
    "<domain type='test'><name>fuzzed@</name><memory unit='MiB'>64</memory><vcpu>2</vcpu>"
    "<os><type arch='x86_64'>hvm</type></os><devices><disk type='file' device='disk'>"
    "<driver name='qemu' type='qcow2'/><source file='/images/fuzzed@.qcow2'/>"
    "<backingStore type='file'><format type='qcow2'/><source file='/images/base.qcow2'/>"
    "<backingStore/></backingStore><target dev='vda' bus='virtio'/></disk></devices></domain>",
    "<domain type='test'><name>small@</name><memory>65536</memory><os><type>hvm</type></os>"
    "<metadata><test:faults xmlns:test='https://virtbus.org/xmlns/test/1'>"
    "<test:operation name='suspend' delay='1' result='fail' message='no' times='1'/>"
    "<test:block-job disk='vda' type='pull' length='1048576' duration='5'/></test:faults>"
    "</metadata></domain>",
};

static const char *const networks[] = {
    "<network><name>net@</name><forward mode='nat'/><bridge name='fuzz@'/>"
    "<ip address='192.0.@.1' prefix='24'><dhcp><range start='192.0.@.10' end='192.0.@.20'/></dhcp>"
    "</ip></network>",
    "<network><name>bare@</name><dns enable='no'/></network>",
    "<network><name>six@</name><forward mode='route'/><domain name='six.test'/>"
    "<ip family='ipv6' address='fd00:@::1' prefix='64'/></network>",
};

/* Of Network.Update: elements, and the sections that they are of. The first is asked for half of
 * the time, so that the two agree often enough. */
static const char *const elements[] = {
    "<portgroup name='group@'/>",
    "<host mac='52:54:00:00:00:0@' ip='192.0.@.30'/>",
    "<range start='192.0.@.100' end='192.0.@.110'/>",
    "<host ip='192.0.2.@'><hostname>name@</hostname></host>",
    "<txt name='txt@' value='text'/>",
    "<srv service='s@' protocol='tcp' target='host@' port='@'/>",
    "<interface dev='eth@'/>",
};
static const char *const sections[] = {"portgroup", "ip-dhcp-host", "ip-dhcp-range",    "dns-host",
                                       "dns-txt",   "dns-srv",      "forward-interface"};
static const char *const commands[] = {"add-first", "add-last", "modify", "delete"};

static const char *const disks[] = {
    "<disk type='file'><source file='/images/copy.qcow2'/><driver type='qcow2'/></disk>",
    "<disk type='network'><driver type='raw'/><source protocol='nbd' name='x'>"
    "<host name='example.org' port='10809'/></source></disk>",
};

static const char *const backups[] = {
    "<domainbackup/>",
    "<domainbackup><disks><disk name='vda' type='file'><target file='/images/backup.qcow2'/>"
    "</disk></disks></domainbackup>",
};

static const char *const pieces[] = {
    "<",
    ">",
    "&",
    "'",
    "\"",
    "/>",
    "&lt;",
    "&#0;",
    "&#x41;",
    "]]>",
    "<!--",
    "<?x?>",
    "\n",
    "\t",
    "\x01",
    "-1",
    "0",
    "é",
    "\xff",
    "<a/>",
    "%s%n",
    "..",
    "../",
    "/",
    "\\",
    ",",
    "=",
    "  ",
    "xmlns='urn:x'",
    "unit='EiB'",
    "18446744073709551616",
    "<!DOCTYPE d [<!ENTITY e 'x'>]>",
};

static const char *const odd_strings[] = {
    "",
    " ",
    ".",
    "..",
    "/",
    "../../../../nonexistent/x",
    "/nonexistent/../nonexistent/y",
    "a\nb",
    "%s%n%x",
    "-rf",
    "--help",
    "\xe2\x80\xae",
    "\xef\xbf\xbf",
    "é漢字",
    "nul\\0",
    "(",
    "a,b=c",
    "$(id)",
    "11111111-2222-4333-8444-555555555555",
    "vda",
    "vdb",
    "domain",
    "job",
};

static void mutate(GString *text)
{
    gint32 length = (gint32)text->len;
    gint32 at = g_test_rand_int_range(0, length + 1);
    gint32 n = g_test_rand_int_range(0, MIN(40, length - at) + 1);

    switch (g_test_rand_int_range(0, 4)) {
    case 0:
        g_string_erase(text, at, n);
        break;
    case 1: {
        g_autofree char *copy = g_strndup(text->str + at, n);
        g_string_insert(text, g_test_rand_int_range(0, length + 1), copy);
        break;
    }
    default:
        g_string_insert(text, at, ANY_OF(pieces));
        break;
    }
}

/* A document that is nearly one. */
static char *spoil(const char *document)
{
    g_autoptr(GString) text = g_string_new(document);
    g_autofree char *digit = g_strdup_printf("%d", g_test_rand_int_range(0, 10));

    g_string_replace(text, "@", digit, 0);
    for (gint32 n = random_once_in(2) ? 0 : g_test_rand_int_range(1, 4); n > 0; n--)
        mutate(text);
    return g_utf8_make_valid(text->str, (gssize)text->len);
}

static char *random_domain(const RandomPool *pool)
{
    return spoil(random_once_in(2) && pool->documents->len > 0 ? random_word(pool->documents)
                                                               : ANY_OF(domains));
}

static char *random_network(const RandomPool *pool)
{
    return spoil(random_once_in(2) && pool->networks->len > 0 ? random_word(pool->networks)
                                                              : ANY_OF(networks));
}

static char *random_string(const RandomPool *pool)
{
    switch (g_test_rand_int_range(0, 8)) {
    case 0:
        return g_strdup(ANY_OF(odd_strings));
    case 1:
        return random_domain(pool);
    case 2:
        return g_strdup(random_word(pool->paths));
    case 3: {
        g_autoptr(GString) text = g_string_new(random_word(pool->words));
        mutate(text);
        return g_utf8_make_valid(text->str, (gssize)text->len);
    }
    case 4:
        return random_once_in(20) ? g_strnfill(g_test_rand_int_range(1, 100000), 'x')
                                  : g_strdup("vda");
    default:
        return g_strdup(random_word(pool->words));
    }
}

static GVariant *random_path(const RandomPool *pool)
{
    static const char *const odd_paths[] = {"/",
                                            "/org",
                                            "/org/virtbus1",
                                            "/org/virtbus1/domain",
                                            "/org/virtbus1/job/0",
                                            "/org/virtbus1x",
                                            "/a/b/c"};

    return g_variant_new_object_path(random_once_in(4) ? ANY_OF(odd_paths)
                                                       : random_word(pool->paths));
}

/* ---- types ------------------------------------------------------------------------------------
 */

static void append_type(GString *type, guint depth)
{
    static const char basic[] = "ybnqiuxtdsog";
    gboolean leaf = depth == 0 || !random_once_in(3);
    gint32 kind = leaf ? 0 : g_test_rand_int_range(1, 5);

    switch (kind) {
    case 1:
        g_string_append_c(type, 'v');
        break;
    case 2:
        g_string_append_c(type, 'a');
        append_type(type, depth - 1);
        break;
    case 3:
        g_string_append_c(type, '(');
        for (gint32 n = g_test_rand_int_range(1, 4); n > 0; n--)
            append_type(type, depth - 1);
        g_string_append_c(type, ')');
        break;
    case 4:
        g_string_append_printf(type, "a{%c", basic[g_test_rand_int_range(0, 12)]);
        append_type(type, depth - 1);
        g_string_append_c(type, '}');
        break;
    default:
        g_string_append_c(type, basic[g_test_rand_int_range(0, 12)]);
        break;
    }
}

char *random_type(void)
{
    GString *type = g_string_new(NULL);

    append_type(type, 4);
    return g_string_free(type, FALSE);
}

/* ---- values -----------------------------------------------------------------------------------
 */

static GVariant *value_at(const RandomPool *pool, const GVariantType *type, guint depth);

/* A number that a check may have forgotten, or any. */
static guint64 random_number(void)
{
    static const guint64 edges[] = {0,           1,       2,          127,         255,
                                    4096,        65535,   G_MAXINT32, G_MAXUINT32, G_MAXINT64,
                                    G_MAXUINT64, 1048576, 1000000,    0x80000000u};

    return random_once_in(3)
               ? ((guint64)(guint32)g_test_rand_int() << 32) ^ (guint32)g_test_rand_int()
               : ANY_OF(edges);
}

static GVariant *random_basic(const RandomPool *pool, const GVariantType *type)
{
    guint64 number = random_number();
    g_autofree char *text = NULL;

    switch (*g_variant_type_peek_string(type)) {
    case 'y':
        return g_variant_new_byte((guint8)number);
    case 'b':
        return g_variant_new_boolean(number & 1);
    case 'n':
        return g_variant_new_int16((gint16)number);
    case 'q':
        return g_variant_new_uint16((guint16)number);
    case 'i':
        return g_variant_new_int32((gint32)number);
    case 'u':
        return g_variant_new_uint32((guint32)number);
    case 'x':
        return g_variant_new_int64((gint64)number);
    case 't':
        return g_variant_new_uint64(number);
    case 'd':
        return g_variant_new_double((double)number);
    case 'o':
        return random_path(pool);
    case 'g':
        text = random_type();
        return g_variant_new_signature(text);
    default:
        text = random_string(pool);
        return g_variant_new_string(text);
    }
}

static GVariant *random_variant(const RandomPool *pool, guint depth)
{
    g_autofree char *type = depth < MAX_DEPTH && random_once_in(3) ? g_strdup("v") : random_type();

    return g_variant_new_variant(value_at(pool, G_VARIANT_TYPE(type), depth + 1));
}

/* Options are known keys with values of their type, or nearly so. */
static GVariant *random_options(const RandomPool *pool)
{
    g_autoptr(GVariantBuilder) builder = g_variant_builder_new(G_VARIANT_TYPE_VARDICT);

    for (gint32 n = random_once_in(2) ? 0 : g_test_rand_int_range(1, 4); n > 0; n--) {
        g_auto(GStrv) option = g_strsplit(random_word(pool->options), " ", 2);
        g_autofree char *key = random_once_in(8) ? random_string(pool) : g_strdup(option[0]);
        GVariant *value =
            random_once_in(4)
                ? random_variant(pool, 0)
                : g_variant_new_variant(random_basic(pool, G_VARIANT_TYPE(option[1])));

        g_variant_builder_add_value(builder,
                                    g_variant_new_dict_entry(g_variant_new_string(key), value));
    }
    return g_variant_builder_end(builder);
}

static GVariant *random_array(const RandomPool *pool, const GVariantType *type, guint depth)
{
    GVariantBuilder builder;
    gint32 n = depth == 0 && random_once_in(50) ? 300 : g_test_rand_int_range(0, 4);

    g_variant_builder_init(&builder, type);
    for (; depth < MAX_DEPTH && n > 0; n--)
        g_variant_builder_add_value(&builder,
                                    value_at(pool, g_variant_type_element(type), depth + 1));
    return g_variant_builder_end(&builder);
}

static GVariant *random_members(const RandomPool *pool, const GVariantType *type, guint depth)
{
    GVariantBuilder builder;

    g_variant_builder_init(&builder, type);
    for (const GVariantType *member = g_variant_type_first(type); member;
         member = g_variant_type_next(member))
        g_variant_builder_add_value(&builder, value_at(pool, member, depth + 1));
    return g_variant_builder_end(&builder);
}

static GVariant *value_at(const RandomPool *pool, const GVariantType *type, guint depth)
{
    if (g_variant_type_is_basic(type))
        return random_basic(pool, type);
    if (g_variant_type_is_variant(type))
        return random_variant(pool, depth);
    if (g_variant_type_equal(type, G_VARIANT_TYPE_VARDICT) && depth == 0)
        return random_options(pool);
    if (g_variant_type_is_array(type))
        return random_array(pool, type, depth);
    return random_members(pool, type, depth);
}

GVariant *random_value(const RandomPool *pool, const GVariantType *type)
{
    return value_at(pool, type, 0);
}

GVariant *random_argument(const RandomPool *pool, const char *name, const GVariantType *type)
{
    static const char *const kinds[] = {"", "domain", "job", "network"};
    g_autofree char *text = NULL;

    if (g_strcmp0(name, "actions") == 0 && !random_once_in(4))
        return g_variant_new_strv((const char *[]){random_word(pool->words)},
                                  random_once_in(4) ? 0 : 1);
    if (g_strcmp0(name, "parent_index") == 0 && g_variant_type_equal(type, G_VARIANT_TYPE_INT32))
        return g_variant_new_int32(g_test_rand_int_range(-2, 3));
    if (!g_variant_type_equal(type, G_VARIANT_TYPE_STRING) || random_once_in(4))
        return random_value(pool, type);
    if (g_strcmp0(name, "xml") == 0)
        text = random_domain(pool);
    else if (g_strcmp0(name, "destination_xml") == 0)
        text = spoil(ANY_OF(disks));
    else if (g_strcmp0(name, "backup_xml") == 0)
        text = spoil(ANY_OF(backups));
    else if (g_strcmp0(name, "network_xml") == 0)
        text = random_network(pool);
    else if (g_strcmp0(name, "element_xml") == 0)
        text = spoil(random_once_in(2) ? elements[0] : ANY_OF(elements));
    else if (g_strcmp0(name, "section") == 0)
        text = g_strdup(random_once_in(2) ? sections[0] : ANY_OF(sections));
    else if (g_strcmp0(name, "command") == 0)
        text = g_strdup(ANY_OF(commands));
    else if (g_strcmp0(name, "disk") == 0)
        text = g_strdup("vda");
    else if (g_strcmp0(name, "kind") == 0)
        text = g_strdup(ANY_OF(kinds));
    else if (g_strcmp0(name, "cursor") == 0)
        text = g_strdup(random_once_in(2) ? "" : random_word(pool->paths));
    else
        text = g_strdup(random_word(pool->words));
    return g_variant_new_string(text);
}
