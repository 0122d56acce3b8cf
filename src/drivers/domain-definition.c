/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns where a domain's definition is: of a running domain all of it is in memory; of another only
 * the summary, and the rest in its file, which is read when somebody needs it and forgotten again
 * soon. What is in memory alone (a transient domain's, one whose write failed, a file that somebody
 * wrote in a form of his own) stays there. See domain.h and core-private.h. */
#include <string.h>

#include "core-private.h"
#include "error.h"

#define PARSED_KEPT 16 /* what was defined, edited or stopped is often wanted again at once */

/* ---- what is in memory ------------------------------------------------------------------------
 */

/* Is anything of its life, or of an operation, still under way that may read the definition? */
static gboolean is_busy(const VbDomain *domain)
{
    return domain->live || domain->operation || domain->starting->len > 0 ||
           domain->cleaning->len > 0 || domain->start_queue->len > 0 || domain->queries > 0 ||
           domain->definition_locked;
}

/* The newest stay. */
static void drop_oldest(VbHost *host)
{
    GList *at = host->parsed.tail;

    while (at && host->parsed.length > PARSED_KEPT) {
        VbDomain *domain = at->data;
        GList *previous = at->prev;

        if (!is_busy(domain)) {
            g_clear_pointer(&domain->stored, vb_domain_def_unref);
            domain->parsed_listed = FALSE;
            g_queue_delete_link(&host->parsed, at);
        }
        at = previous;
    }
}

void vb_domain_pin_stored(VbDomain *domain)
{
    if (domain->parsed_listed)
        g_queue_remove(&domain->host->parsed, domain);
    domain->parsed_listed = FALSE;
}

void vb_domain_unpin_stored(VbDomain *domain)
{
    vb_domain_pin_stored(domain);
    if (!domain->stored || !domain->stamp.digest || domain->live)
        return;
    g_queue_push_head(&domain->host->parsed, domain);
    domain->parsed_listed = TRUE;
    drop_oldest(domain->host);
}

char *vb_stored_form(const VbDomainDef *def, VbStoredForm *ret_form)
{
    char *secure = vb_domain_def_format(def, VB_FORMAT_SECURE);
    g_autofree char *plain = vb_domain_def_format(def, VB_FORMAT_NONE);

    ret_form->digest = vb_store_digest(secure, strlen(secure));
    ret_form->has_secrets = !g_str_equal(secure, plain);
    return secure;
}

void vb_domain_take_stored(VbDomain *domain, VbDomainDef *def, const VbStoredForm *form)
{
    GBytes *summary = vb_domain_summary_pack(def, form && form->has_secrets);

    vb_domain_drop_stored(domain);
    domain->stored = def;
    domain->summary = summary;
    domain->stamp.digest = form ? form->digest : 0;
    vb_domain_unpin_stored(domain);
}

void vb_domain_take_summary(VbDomain *domain, GBytes *summary, const VbFileStamp *stamp)
{
    vb_domain_drop_stored(domain);
    domain->summary = summary;
    domain->stamp = *stamp;
}

void vb_domain_drop_stored(VbDomain *domain)
{
    vb_domain_pin_stored(domain);
    g_clear_pointer(&domain->stored, vb_domain_def_unref);
    g_clear_pointer(&domain->summary, g_bytes_unref);
    domain->stamp = (VbFileStamp){0};
}

VbDomainSummary vb_domain_summary(VbDomain *domain)
{
    if (domain->live && !domain->live_summary)
        domain->live_summary = vb_domain_summary_pack(domain->live, FALSE);
    return vb_domain_summary_unpack(
        g_bytes_get_data(domain->live ? domain->live_summary : domain->summary, NULL));
}

const VbDomainDef *vb_domain_def(const VbDomain *domain)
{
    return domain->live ? domain->live : domain->stored;
}

const VbDomainDef *vb_domain_stored_def(const VbDomain *domain)
{
    return domain->info.persistent ? domain->stored : NULL;
}

/* ---- what is in the file ----------------------------------------------------------------------
 */

static char *read_file(const VbDomain *domain, gsize *ret_length, VbFileStamp *ret_stamp,
                       GError **error)
{
    g_autofree char *path = vb_paths_definition(domain->host->paths, domain->info.uuid);
    char *xml = vb_store_read_stamped(path, VB_XML_STORED_MAX_SIZE, ret_length, ret_stamp, error);

    if (!xml)
        g_prefix_error(error, "the definition of domain '%s' is lost: ", domain->info.name);
    return xml;
}

static gboolean check_identity(const VbDomain *domain, const VbDomainDef *def, GError **error)
{
    const VbHostDriver *driver = vb_host_driver_for(domain->host, def->type);

    if (!g_str_equal(def->uuid, domain->info.uuid) || !g_str_equal(def->name, domain->info.name))
        return vb_fail(error, VB_ERROR_FAILED, "it is of domain '%s' (%s)", def->name, def->uuid);
    if (!driver || driver->ops != domain->info.driver)
        return vb_fail(error, VB_ERROR_FAILED, "it is of type '%s'",
                       vb_domain_type_to_string(def->type));
    return TRUE;
}

static VbDomainDef *parse(const VbDomain *domain, const char *xml, gsize length, GError **error)
{
    g_autofree char *path = vb_paths_definition(domain->host->paths, domain->info.uuid);
    g_autoptr(GError) why = NULL;
    g_autoptr(VbDomainDef) def = vb_domain_def_parse(xml, length, VB_XML_STORED, &why);

    if (def && check_identity(domain, def, &why))
        return g_steal_pointer(&def);
    vb_fail(error, VB_ERROR_FAILED, "the definition of domain '%s', %s, cannot be used: %s",
            domain->info.name, path, why->message);
    return NULL;
}

/* Somebody wrote it beside us. */
static void adopt(VbDomain *domain, VbDomainDef *def, const VbFileStamp *stamp)
{
    VbStoredForm form;

    g_free(vb_stored_form(def, &form));
    vb_domain_take_stored(domain, def, form.digest == stamp->digest ? &form : NULL);
    vb_host_index_changed(domain->host);
    VB_EMIT(domain->host, domain_changed, domain, VB_DOMAIN_PROP_DEFINITION);
}

gboolean vb_domain_load_stored(VbDomain *domain, GError **error)
{
    VbFileStamp stamp;
    gsize length;

    if (domain->stored)
        return TRUE;
    g_autofree char *xml = read_file(domain, &length, &stamp, error);
    VbDomainDef *def = xml ? parse(domain, xml, length, error) : NULL;
    if (!def)
        return FALSE;
    if (stamp.digest != domain->stamp.digest) {
        adopt(domain, def, &stamp);
        return TRUE;
    }
    domain->stored = def;
    vb_domain_unpin_stored(domain);
    return TRUE;
}

VbDomainDef *vb_domain_read_def(VbDomain *domain, GError **error)
{
    if (!domain->live && !vb_domain_load_stored(domain, error))
        return NULL;
    return vb_domain_def_ref(domain->live ? domain->live : domain->stored);
}

/* The file's own text, where it says what is asked for; NULL without an error: it does not. */
static char *read_text(VbDomain *domain, gboolean secure, GError **error)
{
    VbFileStamp stamp;
    gsize length;

    if (!domain->stamp.digest)
        return NULL;
    if (!secure && vb_domain_summary_unpack(g_bytes_get_data(domain->summary, NULL)).has_secrets)
        return NULL;
    g_autofree char *xml = read_file(domain, &length, &stamp, error);
    return xml && stamp.digest == domain->stamp.digest ? g_steal_pointer(&xml) : NULL;
}

char *vb_domain_read_xml(VbDomain *domain, VbDomainXmlFlags flags, GError **error)
{
    gboolean stored = (flags & VB_DOMAIN_XML_STORED) != 0, secure = flags & VB_DOMAIN_XML_SECURE;
    VbFormatFlags format = secure ? VB_FORMAT_SECURE : VB_FORMAT_NONE;
    GError *failure = NULL;

    if (domain->live && (!stored || !domain->info.persistent))
        return vb_domain_def_format(domain->live, stored ? format : format | VB_FORMAT_LIVE);
    char *xml = read_text(domain, secure, &failure);
    if (xml)
        return xml;
    if (failure) {
        g_propagate_error(error, failure);
        return NULL;
    }
    if (!vb_domain_load_stored(domain, error))
        return NULL;
    return vb_domain_def_format(domain->stored, format);
}

/* ---- writing ----------------------------------------------------------------------------------
 */

void vb_domain_write_stored_async(VbDomain *domain, VbDomainDef *def, GAsyncReadyCallback callback,
                                  gpointer user_data)
{
    g_autofree char *path = vb_paths_definition(domain->host->paths, domain->info.uuid);
    VbStoredForm form;
    char *xml = vb_stored_form(def, &form);
    g_autoptr(GBytes) contents = g_bytes_new_take(xml, strlen(xml));

    vb_domain_take_stored(domain, def, NULL);
    domain->written_form = form;
    vb_store_write_async(domain->host->store, path, contents, callback, user_data);
}

gboolean vb_domain_write_stored_finish(VbDomain *domain, GAsyncResult *result, GError **error)
{
    if (!vb_store_write_finish(domain->host->store, result, error))
        return FALSE;
    vb_domain_take_stored(domain, vb_domain_def_ref(domain->stored), &domain->written_form);
    vb_host_index_changed(domain->host);
    return TRUE;
}
