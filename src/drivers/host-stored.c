/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns how stored definitions become domains when a virtbusd begins: by the index where it tells
 * the file as it is, else by parsing it. What cannot be read is set aside, named in the log, and
 * stops nothing else. host-load.c calls it. */
#include <dirent.h>
#include <malloc.h>
#include <string.h>

#include "core-private.h"
#include "error.h"

void vb_host_load_definitions(VbHost *host, const char *directory, VbLoadFunc func)
{
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(directory, name, NULL);
        g_autofree char *uuid = g_strdup(name);
        if (!g_str_has_suffix(name, ".xml"))
            continue;
        uuid[strlen(uuid) - strlen(".xml")] = '\0';
        func(host, path, uuid);
    }
}

/* ---- one of them ------------------------------------------------------------------------------
 */

/* The driver of a domain, which must be the only one of its name. */
static VbHostDriver *find_driver(VbHost *host, VbDomainType type, const char *name,
                                 const VbDomain *known, GError **error)
{
    VbHostDriver *driver = vb_host_driver_for(host, type);

    if (!driver)
        vb_fail(error, VB_ERROR_NOT_SUPPORTED, "there is no driver for type '%s'",
                vb_domain_type_to_string(type));
    else if (!known && vb_host_domain_by_name(host, name))
        vb_fail(error, VB_ERROR_DOMAIN_EXISTS, "there is another domain '%s'", name);
    else
        return driver;
    return NULL;
}

VbDomain *vb_host_load_definition(VbHost *host, const char *path, const char *uuid,
                                  VbXmlFlags flags, VbDomainDef **ret_def, VbFileStamp *ret_stamp,
                                  GError **error)
{
    gsize length;
    g_autofree char *xml =
        vb_store_read_stamped(path, VB_XML_STORED_MAX_SIZE, &length, ret_stamp, error);
    g_autoptr(VbDomainDef) def =
        xml ? vb_domain_def_parse(xml, length, flags | VB_XML_STORED, error) : NULL;

    if (!def)
        return NULL;
    if (!g_str_equal(def->uuid, uuid)) {
        vb_fail(error, VB_ERROR_FAILED, "it is of domain %s", def->uuid);
        return NULL;
    }
    VbDomain *known = vb_host_domain_by_uuid(host, uuid);
    const VbHostDriver *driver = find_driver(host, def->type, def->name, known, error);
    if (!driver)
        return NULL;
    *ret_def = vb_domain_def_ref(def);
    return known ? vb_domain_ref(known) : vb_domain_new(host, driver, uuid, def->name, 0);
}

static VbDomain *load_parsed(VbHost *host, const char *path, const char *uuid)
{
    g_autoptr(GError) error = NULL;
    VbDomainDef *def;
    VbFileStamp stamp;
    VbStoredForm form;
    VbDomain *domain = vb_host_load_definition(host, path, uuid, VB_XML_NONE, &def, &stamp, &error);

    if (!domain) {
        vb_store_set_aside(path, error);
        return NULL;
    }
    g_free(vb_stored_form(def, &form));
    vb_domain_take_stored(domain, def, form.digest == stamp.digest ? &form : NULL);
    if (form.digest == stamp.digest)
        domain->stamp = stamp;
    return domain;
}

/* NULL: the index does not tell (any more), or it cannot be taken as it stands there. */
static VbDomain *load_indexed(VbHost *host, const VbDefinitionIndex *index, int directory,
                              const char *file, const char *uuid)
{
    VbFileStamp now, stamp;
    VbDomainType type;

    if (!index || !vb_store_stat(directory, file, &now))
        return NULL;
    g_autoptr(GBytes) packed = vb_definition_index_find(index, uuid, &now, &stamp);
    if (!packed)
        return NULL;
    VbDomainSummary summary = vb_domain_summary_unpack(g_bytes_get_data(packed, NULL));
    const VbHostDriver *driver = vb_domain_type_from_string(summary.type, &type)
                                     ? find_driver(host, type, summary.name, NULL, NULL)
                                     : NULL;
    if (!driver)
        return NULL;
    VbDomain *domain = vb_domain_new(host, driver, uuid, summary.name, 0);
    vb_domain_take_summary(domain, g_steal_pointer(&packed), &stamp);
    return domain;
}

/* ---- all of them ------------------------------------------------------------------------------
 */

static GHashTable *load_autostart(VbHost *host)
{
    GHashTable *uuids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autofree char *path = g_build_filename(host->paths->state_dir, "domain", "autostart", NULL);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir)))
        g_hash_table_add(uuids, g_strdup(name));
    return uuids;
}

typedef struct {
    VbHost *host;
    const char *path;
    int directory;
    VbDefinitionIndex *index; /* NULL: there is none */
    GHashTable *autostart;    /* UUIDs */
    guint n_indexed, n_parsed;
} Stored;

static void load(Stored *stored, const char *file)
{
    g_autofree char *uuid = g_strndup(file, strlen(file) - strlen(".xml"));
    g_autoptr(VbDomain) domain =
        load_indexed(stored->host, stored->index, stored->directory, file, uuid);

    if (domain) {
        stored->n_indexed++;
    } else {
        g_autofree char *path = g_build_filename(stored->path, file, NULL);
        stored->n_parsed++;
        domain = load_parsed(stored->host, path, uuid);
        if (!domain)
            return;
    }
    domain->info.persistent = TRUE;
    domain->info.autostart = g_hash_table_contains(stored->autostart, uuid);
    vb_host_insert(stored->host, domain);
}

void vb_host_load_stored(VbHost *host)
{
    g_autofree char *path = g_build_filename(host->paths->state_dir, "domain", NULL);
    g_autoptr(VbDefinitionIndex) index = vb_host_open_index(host);
    g_autoptr(GHashTable) autostart = load_autostart(host);
    DIR *dir = opendir(path);
    const struct dirent *entry;

    if (!dir)
        return;
    Stored stored = {host, path, dirfd(dir), index, autostart};
    while ((entry = readdir(dir)))
        if (g_str_has_suffix(entry->d_name, ".xml"))
            load(&stored, entry->d_name);
    closedir(dir);
    if (stored.n_parsed > 0 || (index && vb_definition_index_size(index) != stored.n_indexed))
        vb_host_index_changed(host);
    /* Parsing takes a hundred times what it leaves. */
    if (stored.n_parsed > 0)
        malloc_trim(0);
}
