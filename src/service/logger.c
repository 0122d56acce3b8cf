/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The writer. GLib calls it from any thread; each message is one write to stderr, or one datagram
 * to the journal. */
#include "logger.h"

#include <string.h>
#include <unistd.h>

#include "log.h"

#define BURST 200               /* messages of one domain */
#define PAUSE_US G_USEC_PER_SEC /* between them, when those are spent */
#define MAX_ACCOUNTS 1000u      /* before those of quiet domains are closed */
#define BURST_US ((gint64)BURST * PAUSE_US)

/* What a domain has logged. */
typedef struct {
    gint64 paid_until; /* monotonic, µs: in the past for one that has logged little */
    guint dropped;
} Account;

static gboolean logger_debug;
static gboolean logger_journal;
static GMutex logger_lock;          /* of the next */
static GHashTable *logger_accounts; /* UUID → Account */

static const char *level_name(GLogLevelFlags level)
{
    switch (level & G_LOG_LEVEL_MASK) {
    case G_LOG_LEVEL_ERROR:
        return "error";
    case G_LOG_LEVEL_CRITICAL:
        return "critical";
    case G_LOG_LEVEL_WARNING:
    case VB_LOG_LEVEL_WARNING:
        return "warning";
    case G_LOG_LEVEL_INFO:
        return "info";
    default:
        return "debug";
    }
}

static const char *field_value(const GLogField *field)
{
    return field->length < 0 ? field->value : NULL; /* ours are strings; binary ones are skipped */
}

static const char *find_field(const GLogField *fields, gsize n_fields, const char *key)
{
    for (gsize i = 0; i < n_fields; i++) {
        if (strcmp(fields[i].key, key) == 0)
            return field_value(&fields[i]);
    }
    return NULL;
}

static void append_escaped(GString *line, const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);

    for (const char *c = valid; *c != '\0'; c++) {
        if ((guchar)*c < 0x20 || *c == 0x7f)
            g_string_append_printf(line, "\\x%02x", (guchar)*c);
        else
            g_string_append_c(line, *c);
    }
}

static void append_field(GString *line, const char *name, const char *value)
{
    if (value == NULL || *value == '\0')
        return;
    g_string_append_printf(line, " %s=", name);
    append_escaped(line, value);
}

char *vb_logger_format(GLogLevelFlags level, const GLogField *fields, gsize n_fields)
{
    const char *message = find_field(fields, n_fields, "MESSAGE");
    GString *line = g_string_new("virtbusd: ");

    g_string_append_printf(line, "%s: ", level_name(level));
    append_escaped(line, message != NULL ? message : "");
    append_field(line, "domain", find_field(fields, n_fields, VB_LOG_FIELD_DOMAIN));
    append_field(line, "job", find_field(fields, n_fields, VB_LOG_FIELD_JOB));
    g_string_append_c(line, '\n');
    return g_string_free(line, FALSE);
}

/* Our warnings come at GLib's level "message": the journal shall know them as warnings. Empty
 * fields stay out of it. */
static GLogWriterOutput write_journal(GLogLevelFlags level, const GLogField *fields, gsize n_fields)
{
    g_autofree GLogField *kept = g_new(GLogField, n_fields);
    gsize n_kept = 0;

    for (gsize i = 0; i < n_fields; i++) {
        const char *value = field_value(&fields[i]);

        if (value != NULL && *value == '\0')
            continue;
        kept[n_kept] = fields[i];
        if (level & VB_LOG_LEVEL_WARNING && strcmp(fields[i].key, "PRIORITY") == 0)
            kept[n_kept].value = "4";
        n_kept++;
    }
    return g_log_writer_journald(level, kept, n_kept, NULL);
}

static void write_stderr(const char *line)
{
    gsize length = strlen(line);

    while (length > 0) {
        ssize_t written = write(STDERR_FILENO, line, length);

        if (written < 0)
            return; /* there is nobody to tell */
        line += written;
        length -= written;
    }
}

static gboolean is_quiet(gpointer key, gpointer value, gpointer now)
{
    const Account *account = value;

    return account->dropped == 0 && account->paid_until <= *(gint64 *)now;
}

gboolean vb_logger_admit(const char *domain, gint64 now, guint *ret_dropped)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&logger_lock);
    Account *account;

    if (!logger_accounts)
        logger_accounts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    account = g_hash_table_lookup(logger_accounts, domain);
    if (!account) {
        if (g_hash_table_size(logger_accounts) >= MAX_ACCOUNTS)
            g_hash_table_foreach_remove(logger_accounts, is_quiet, &now);
        account = g_new0(Account, 1);
        g_hash_table_insert(logger_accounts, g_strdup(domain), account);
    }
    gint64 paid_until = MAX(account->paid_until, now) + PAUSE_US;
    if (paid_until > now + BURST_US) {
        account->dropped++;
        return FALSE;
    }
    account->paid_until = paid_until;
    *ret_dropped = account->dropped;
    account->dropped = 0;
    return TRUE;
}

static void put(GLogLevelFlags level, const GLogField *fields, gsize n_fields)
{
    g_autofree char *line = NULL;

    if (logger_journal && write_journal(level, fields, n_fields) == G_LOG_WRITER_HANDLED)
        return;
    line = vb_logger_format(level, fields, n_fields);
    write_stderr(line);
}

/* May this message be written? Says first what could not be. */
static gboolean admit(GLogLevelFlags level, const GLogField *fields, gsize n_fields)
{
    const char *domain = find_field(fields, n_fields, VB_LOG_FIELD_DOMAIN);
    guint dropped = 0;

    if ((level & G_LOG_LEVEL_DEBUG) || domain == NULL || *domain == '\0')
        return TRUE;
    if (!vb_logger_admit(domain, g_get_monotonic_time(), &dropped))
        return FALSE;
    if (dropped > 0) {
        g_autofree char *text =
            g_strdup_printf("%u messages about this domain were not written", dropped);
        const GLogField note[] = {
            {"PRIORITY", "4", -1}, {"MESSAGE", text, -1}, {VB_LOG_FIELD_DOMAIN, domain, -1}};

        put(VB_LOG_LEVEL_WARNING, note, G_N_ELEMENTS(note));
    }
    return TRUE;
}

static GLogWriterOutput logger_write(GLogLevelFlags level, const GLogField *fields, gsize n_fields,
                                     gpointer data)
{
    if ((level & G_LOG_LEVEL_DEBUG) && !logger_debug)
        return G_LOG_WRITER_HANDLED;
    if (admit(level, fields, n_fields))
        put(level, fields, n_fields);
    return G_LOG_WRITER_HANDLED;
}

void vb_logger_init(gboolean debug)
{
    logger_debug = debug;
    logger_journal = g_log_writer_is_journald(STDERR_FILENO);
    g_log_set_writer_func(logger_write, NULL, NULL);
}
