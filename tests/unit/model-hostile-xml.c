/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Documents that are made to hurt: each is refused (or, where nothing is wrong with it but its
 * size, read) by each document parser, in little time and memory. Every one is parsed in a child of
 * its own, whose CPU time and peak memory are printed; what is asserted is generous, for the
 * sanitizers. The exact figures: build with --buildtype=release, and run the program itself. */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backup-def.h"
#include "disk-xml.h"
#include "domain-def.h"
#include "error.h"

#ifdef __SANITIZE_ADDRESS__
#define MAX_CPU_US (1500 * 1000)
#define MAX_GROWTH_KIB (320 * 1024)
#else
#define MAX_CPU_US (400 * 1000)
#define MAX_GROWTH_KIB (64 * 1024)
#endif

#define MIB ((gsize)1024 * 1024)
#define SECRET "hostile-xml-secret"

/* ---- documents --------------------------------------------------------------------------------
 */

static void repeat(GString *xml, const char *text, gsize n)
{
    for (gsize i = 0; i < n; i++)
        g_string_append(xml, text);
}

/* `size` bytes of it, about. */
static void fill(GString *xml, const char *text, gsize size)
{
    repeat(xml, text, size / strlen(text));
}

static void open_root(GString *xml, const char *root)
{
    g_string_append_printf(xml, strcmp(root, "domain") == 0 ? "<%s type='test'>" : "<%s>", root);
}

static void close_root(GString *xml, const char *root)
{
    g_string_append_printf(xml, "</%s>", root);
}

static void billion_laughs(GString *xml, const char *root)
{
    g_string_append_printf(xml, "<?xml version='1.0'?><!DOCTYPE %s [<!ENTITY a0 'ha'>", root);
    for (guint i = 1; i < 30; i++)
        g_string_append_printf(xml, "<!ENTITY a%u '&a%u;&a%u;&a%u;&a%u;'>", i, i - 1, i - 1, i - 1,
                               i - 1);
    g_string_append_printf(xml, "]><%s><name>&a29;</name></%s>", root, root);
}

static void quadratic_blowup(GString *xml, const char *root)
{
    g_string_append_printf(xml, "<!DOCTYPE %s [<!ENTITY a '", root);
    fill(xml, "a", MIB);
    g_string_append_printf(xml, "'>]><%s><name>", root);
    fill(xml, "&a;", MIB);
    g_string_append_printf(xml, "</name></%s>", root);
}

static void with_doctype(GString *xml, const char *root, const char *doctype)
{
    g_string_append_printf(xml, "<!DOCTYPE %s %s><%s><name>&x;</name></%s>", root, doctype, root,
                           root);
}

static char *secret_path; /* of a file that no document may read */

static void xxe_file(GString *xml, const char *root)
{
    g_autofree char *doctype = g_strdup_printf("[<!ENTITY x SYSTEM 'file://%s'>]", secret_path);

    with_doctype(xml, root, doctype);
}

static void xxe_http(GString *xml, const char *root)
{
    with_doctype(xml, root, "[<!ENTITY x SYSTEM 'http://127.0.0.1:1/x'>]");
}

static void xxe_parameter(GString *xml, const char *root)
{
    g_autofree char *doctype =
        g_strdup_printf("[<!ENTITY %% p SYSTEM 'file://%s'> %%p;]", secret_path);

    with_doctype(xml, root, doctype);
}

static void external_dtd(GString *xml, const char *root)
{
    g_autofree char *doctype = g_strdup_printf("SYSTEM 'file://%s'", secret_path);

    with_doctype(xml, root, doctype);
}

static void undeclared_entity(GString *xml, const char *root)
{
    open_root(xml, root);
    fill(xml, "&x;", 4 * MIB - 100);
    close_root(xml, root);
}

static void xinclude(GString *xml, const char *root)
{
    open_root(xml, root);
    g_string_append_printf(xml,
                           "<xi:include xmlns:xi='http://www.w3.org/2001/XInclude' parse='text' "
                           "href='file://%s'/>",
                           secret_path);
    close_root(xml, root);
}

static void million_levels(GString *xml, const char *root)
{
    open_root(xml, root);
    repeat(xml, "<a>", 1000000);
}

/* What makes it a domain. */
static void minimal(GString *xml)
{
    g_string_append(xml, "<name>x</name><memory>4096</memory><vcpu>1</vcpu>"
                         "<os><type arch='x86_64'>hvm</type></os>");
}

static void deep_metadata(GString *xml, const char *root)
{
    open_root(xml, root);
    minimal(xml);
    g_string_append(xml, "<metadata>");
    repeat(xml, "<a>", 230);
    repeat(xml, "<b c='d'/>", 49000);
    repeat(xml, "</a>", 230);
    g_string_append(xml, "</metadata>");
    close_root(xml, root);
}

/* What canonical XML looks up for each element, at every level: `n` of them below `depth` levels,
 * the outer ones with a namespace each. */
static void namespaces_above(GString *xml, const char *root, guint namespaces, guint depth, guint n)
{
    open_root(xml, root);
    minimal(xml);
    g_string_append(xml, "<metadata>");
    for (guint i = 0; i < depth; i++) {
        g_string_append(xml, "<a");
        if (i < namespaces)
            g_string_append_printf(xml, " xmlns:n%u='u:%u'", i, i);
        g_string_append(xml, ">");
    }
    repeat(xml, "<n0:b/>", n);
    repeat(xml, "</a>", depth);
    g_string_append(xml, "</metadata>");
    close_root(xml, root);
}

static void many_lookups(GString *xml, const char *root)
{
    namespaces_above(xml, root, 60, 230, 99000);
}

/* As many as there may be. */
static void most_lookups(GString *xml, const char *root)
{
    namespaces_above(xml, root, 60, 230, 400);
}

static void most_shallow_lookups(GString *xml, const char *root)
{
    namespaces_above(xml, root, 10, 10, 80000);
}

static void siblings(GString *xml, const char *root)
{
    open_root(xml, root);
    repeat(xml, "<a/>", 1000000);
    close_root(xml, root);
}

static void devices(GString *xml, const char *root)
{
    open_root(xml, root);
    g_string_append(xml, "<devices>");
    fill(xml, "<disk/>", 4 * MIB - 100);
    g_string_append(xml, "</devices>");
    close_root(xml, root);
}

static void names_given_twice(GString *xml, const char *root)
{
    open_root(xml, root);
    fill(xml, "<name>x</name>", MIB);
    close_root(xml, root);
}

static void many_attributes(GString *xml, const char *root)
{
    g_string_append_printf(xml, "<%s", root);
    for (guint i = 0; i < 100000; i++)
        g_string_append_printf(xml, " a%u=''", i);
    g_string_append(xml, "/>");
}

/* Behind what looks like an open quote, or the end of a tag. */
static void hidden_attributes(GString *xml, const char *root)
{
    g_string_append_printf(xml, "<?a <a ' ?><!-- <a ' --><%s>", root);
    g_string_append(xml, "<![CDATA[<a \" ]]><a");
    for (guint i = 0; i < 90000; i++)
        g_string_append_printf(xml, " a%u='>\"'", i);
    g_string_append(xml, "/>");
    close_root(xml, root);
}

static void many_attributes_each(GString *xml, const char *root)
{
    open_root(xml, root);
    while (xml->len < 4 * MIB - 1000) {
        g_string_append(xml, "<a");
        for (guint i = 0; i < 30; i++)
            g_string_append_printf(xml, " a%u=''", i);
        g_string_append(xml, "/>");
    }
    close_root(xml, root);
}

static void long_attribute(GString *xml, const char *root)
{
    g_string_append_printf(xml, "<%s a='", root);
    fill(xml, "x", 4 * MIB - 100);
    g_string_append(xml, "'/>");
}

static void duplicate_attributes(GString *xml, const char *root)
{
    g_string_append_printf(xml, "<%s", root);
    fill(xml, " a=''", 4 * MIB - 100);
    g_string_append(xml, "/>");
}

static void many_namespaces(GString *xml, const char *root)
{
    g_string_append_printf(xml, "<%s", root);
    for (guint i = 0; i < 100000; i++)
        g_string_append_printf(xml, " xmlns:n%u='u:%u'", i, i);
    g_string_append(xml, "/>");
}

static void namespaces_each(GString *xml, const char *root)
{
    open_root(xml, root);
    while (xml->len < 4 * MIB - 1000)
        g_string_append(xml, "<a xmlns:b='u:c' b:d=''/>");
    close_root(xml, root);
}

static void long_element_name(GString *xml, const char *root)
{
    g_string_append(xml, "<");
    fill(xml, "x", 4 * MIB - 100);
    g_string_append(xml, "/>");
}

static void long_name(GString *xml, const char *root)
{
    open_root(xml, root);
    g_string_append(xml, "<name>");
    fill(xml, "x", 4 * MIB - 200);
    g_string_append(xml, "</name><memory>4096</memory><vcpu>1</vcpu>"
                         "<os><type arch='x86_64'>hvm</type></os>");
    close_root(xml, root);
}

static void flood_of(GString *xml, const char *root, const char *text)
{
    open_root(xml, root);
    fill(xml, text, 4 * MIB - 100);
    close_root(xml, root);
}

static void comments(GString *xml, const char *root)
{
    flood_of(xml, root, "<!---->");
}

static void instructions(GString *xml, const char *root)
{
    flood_of(xml, root, "<?a?>");
}

static void cdata(GString *xml, const char *root)
{
    flood_of(xml, root, "<![CDATA[x]]>");
}

static void before_root(GString *xml, const char *root)
{
    fill(xml, "<!---->", 4 * MIB - 100);
    open_root(xml, root);
    close_root(xml, root);
}

static void character_references(GString *xml, const char *root)
{
    flood_of(xml, root, "&#65;");
}

static void null_reference(GString *xml, const char *root)
{
    flood_of(xml, root, "&#0;");
}

static void blanks(GString *xml, const char *root)
{
    flood_of(xml, root, " ");
}

static void unclosed(GString *xml, const char *root)
{
    fill(xml, "<", 4 * MIB - 100);
}

static void invalid_utf8(GString *xml, const char *root)
{
    open_root(xml, root);
    g_string_append(xml, "<name>\xc0\xaf\xff</name>");
    close_root(xml, root);
}

static void nul(GString *xml, const char *root)
{
    open_root(xml, root);
    g_string_append_len(xml, "<name>a\0b</name>", 16);
    close_root(xml, root);
}

static void utf16(GString *xml, const char *root)
{
    g_autofree char *text = g_strdup_printf("<%s><name>x</name></%s>", root, root);

    g_string_append_len(xml, "\xff\xfe", 2);
    for (const char *c = text; *c; c++) {
        g_string_append_c(xml, *c);
        g_string_append_c(xml, '\0');
    }
}

/* The declaration lies: what a parser that believes it would read is a DTD. */
static void declared(GString *xml, const char *root, const char *encoding, const char *text)
{
    g_string_append_printf(xml, "<?xml version='1.0' encoding='%s'?>%s", encoding, text);
    open_root(xml, root);
    g_string_append(xml, "<unknown/>");
    close_root(xml, root);
}

static void utf7(GString *xml, const char *root)
{
    declared(xml, root, "UTF-7", "+ADwAIQ-DOCTYPE a [+ADwAIQ-ENTITY x 'y'+AD4-]+AD4-");
}

static void utf16_declared(GString *xml, const char *root)
{
    declared(xml, root, "UTF-16", "");
}

static void ebcdic(GString *xml, const char *root)
{
    declared(xml, root, "EBCDIC-CP-US", "");
}

static void unknown_encoding(GString *xml, const char *root)
{
    declared(xml, root, "X-NOT-HEARD-OF", "");
}

static void too_large(GString *xml, const char *root)
{
    open_root(xml, root);
    while (xml->len < 4 * MIB + 1)
        g_string_append_c(xml, ' ');
}

static void huge(GString *xml, const char *root)
{
    open_root(xml, root);
    fill(xml, "<a/>", 32 * MIB);
}

static void huge_numbers(GString *xml, const char *root)
{
    open_root(xml, root);
    g_string_append(xml, "<name>x</name><memory unit='EiB'>");
    fill(xml, "9", MIB);
    g_string_append(xml, "</memory><vcpu>1</vcpu>");
    close_root(xml, root);
}

static void unit_overflow(GString *xml, const char *root)
{
    open_root(xml, root);
    g_string_append(xml, "<name>x</name><memory unit='EiB'>18446744073709551615</memory>"
                         "<vcpu>1</vcpu>");
    close_root(xml, root);
}

static void negative(GString *xml, const char *root)
{
    open_root(xml, root);
    g_string_append(xml, "<name>x</name><memory>-1</memory><vcpu>18446744073709551617</vcpu>");
    close_root(xml, root);
}

typedef struct {
    const char *name;
    void (*make)(GString *xml, const char *root);
    const char *refusal; /* what all parsers say, a pattern; NULL: they may say what they like */
    gboolean harmless;   /* one of the parsers may accept it */
} Attack;

static const Attack attacks[] = {
    {"billion-laughs", billion_laughs, "*DTD*"},
    {"quadratic-blowup", quadratic_blowup, "*DTD*"},
    {"xxe-file", xxe_file, "*DTD*"},
    {"xxe-http", xxe_http, "*DTD*"},
    {"xxe-parameter", xxe_parameter, "*DTD*"},
    {"external-dtd", external_dtd, "*DTD*"},
    {"undeclared-entity", undeclared_entity, "*not well-formed*"},
    {"xinclude", xinclude, NULL},
    {"million-levels", million_levels, "*nested deeper than 240*"},
    {"deep-metadata", deep_metadata, NULL, TRUE},
    {"many-lookups", many_lookups, "*too many namespaces*"},
    {"most-lookups", most_lookups, NULL, TRUE},
    {"most-shallow-lookups", most_shallow_lookups, NULL, TRUE},
    {"siblings", siblings, "*100000*"},
    {"devices", devices, "*100000*"},
    {"names-given-twice", names_given_twice, NULL},
    {"many-attributes", many_attributes, "*256 attributes*"},
    {"hidden-attributes", hidden_attributes, "*256 attributes*"},
    {"many-attributes-each", many_attributes_each, "*100000*"},
    {"long-attribute", long_attribute, NULL},
    {"duplicate-attributes", duplicate_attributes, "*256 attributes*"},
    {"many-namespaces", many_namespaces, "*64 namespaces*"},
    {"namespaces-each", namespaces_each, "*64 namespaces*"},
    {"long-element-name", long_element_name, NULL},
    {"long-name", long_name, NULL},
    {"comments", comments, "*100000*"},
    {"instructions", instructions, "*100000*"},
    {"cdata", cdata, "*100000*"},
    {"before-root", before_root, "*100000*"},
    {"character-references", character_references, NULL},
    {"null-reference", null_reference, "*not well-formed*"},
    {"blanks", blanks, NULL, TRUE},
    {"unclosed", unclosed, "*not well-formed*"},
    {"invalid-utf8", invalid_utf8, "*not UTF-8*"},
    {"nul", nul, "*not UTF-8*"},
    {"utf16", utf16, "*not UTF-8*"},
    {"utf7", utf7, "*not well-formed*"},
    {"utf16-declared", utf16_declared, NULL},
    {"ebcdic", ebcdic, NULL},
    {"unknown-encoding", unknown_encoding, NULL},
    {"too-large", too_large, "*more than 4194304*"},
    {"huge", huge, "*more than 4194304*"},
    {"huge-numbers", huge_numbers, NULL},
    {"unit-overflow", unit_overflow, NULL},
    {"negative", negative, NULL},
};

/* ---- parsers ----------------------------------------------------------------------------------
 */

static gboolean parse_domain(const GString *xml, GError **error)
{
    g_autoptr(VbDomainDef) def =
        vb_domain_def_parse(xml->str, (gssize)xml->len, VB_XML_NONE, error);

    return def != NULL;
}

static gboolean parse_disk(const GString *xml, GError **error)
{
    VbDiskSource *source = vb_disk_source_parse(xml->str, (gssize)xml->len, error);
    gboolean accepted = source != NULL;

    vb_disk_source_free(source);
    return accepted;
}

static gboolean parse_backup(const GString *xml, GError **error)
{
    g_autoptr(VbBackupDef) def = vb_backup_def_parse(xml->str, (gssize)xml->len, error);

    return def != NULL;
}

typedef struct {
    const char *root;
    gboolean (*parse)(const GString *xml, GError **error);
} Parser;

static const Parser parsers[] = {
    {"domain", parse_domain}, {"disk", parse_disk}, {"domainbackup", parse_backup}};

/* ---- one attack on one parser -----------------------------------------------------------------
 */

/* In the child: the message goes to the pipe. "ok" when the document was accepted. */
static void parse_and_tell(const Parser *parser, const GString *xml, int pipe)
{
    g_autoptr(GError) error = NULL;
    gboolean accepted = parser->parse(xml, &error);
    const char *message = accepted ? "ok" : error->message;
    gsize size = strlen(message);

    g_assert_true(accepted == (error == NULL));
    g_assert_true(g_utf8_validate(message, -1, NULL));
    g_assert_null(strstr(message, SECRET));
    if (write(pipe, message, MIN(size, 60000)) < 0)
        _exit(EXIT_FAILURE);
}

typedef struct {
    gint64 cpu_us;
    guint64 peak_kib;
    char *message;
} Cost;

static Cost measure(const Parser *parser, const GString *xml)
{
    int pipes[2], status;
    struct rusage usage;
    char message[60001];

    g_assert_cmpint(pipe(pipes), ==, 0);
    pid_t child = fork();
    g_assert_cmpint(child, >=, 0);
    if (child == 0) {
        parse_and_tell(parser, xml, pipes[1]);
        _exit(EXIT_SUCCESS);
    }
    close(pipes[1]);
    g_assert_cmpint(wait4(child, &status, 0, &usage), ==, child);
    g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS);
    ssize_t size = read(pipes[0], message, sizeof message - 1);
    g_assert_cmpint(size, >, 0);
    message[size] = '\0';
    close(pipes[0]);
    return (Cost){
        .cpu_us = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * G_USEC_PER_SEC +
                  usage.ru_utime.tv_usec + usage.ru_stime.tv_usec,
        .peak_kib = (guint64)usage.ru_maxrss,
        .message = g_strdup(message),
    };
}

static void test_attack(gconstpointer data)
{
    const Attack *attack = data;

    for (guint i = 0; i < G_N_ELEMENTS(parsers); i++) {
        g_autoptr(GString) xml = g_string_new(NULL), nothing = g_string_new("<x/>");
        attack->make(xml, parsers[i].root);
        Cost base = measure(&parsers[i], nothing);
        Cost cost = measure(&parsers[i], xml);
        g_autofree char *base_message = base.message, *message = cost.message;
        gint64 growth = MAX((gint64)cost.peak_kib - (gint64)base.peak_kib, 0);

        g_test_message("%-20s %-12s %5.1f MiB: %6.1f ms, %5.1f MiB: %.90s", attack->name,
                       parsers[i].root, xml->len / (double)MIB, cost.cpu_us / 1000.0,
                       growth / 1024.0, message);
        if (!attack->harmless)
            g_assert_cmpstr(message, !=, "ok");
        if (attack->refusal && !g_pattern_match_simple(attack->refusal, message))
            g_error("%s: '%s' is not %s", attack->name, message, attack->refusal);
        g_assert_cmpuint(strlen(message), <, 4096);
        g_assert_cmpint(cost.cpu_us, <, MAX_CPU_US);
        g_assert_cmpint(growth, <, MAX_GROWTH_KIB);
    }
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    int result;

    g_test_init(&argc, &argv, NULL);
    int fd = g_file_open_tmp("vbt-secret-XXXXXX", &secret_path, &error);
    g_assert_no_error(error);
    g_assert_cmpint(write(fd, SECRET, strlen(SECRET)), ==, strlen(SECRET));
    close(fd);
    for (guint i = 0; i < G_N_ELEMENTS(attacks); i++) {
        g_autofree char *path = g_strconcat("/hostile-xml/", attacks[i].name, NULL);
        g_test_add_data_func(path, &attacks[i], test_attack);
    }
    result = g_test_run();
    unlink(secret_path);
    g_free(secret_path);
    return result;
}
