/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns the packed form: a head, the records of disks, interfaces and graphics, then the texts. A
 * record begins with its texts, each as the offset of a NUL-terminated string (0: NULL), so that
 * one loop checks all of them. See domain-summary.h. */
#include "domain-summary.h"

#include <string.h>

typedef guint32 Text;

typedef struct {
    guint64 memory, current_memory;
    guint32 size; /* of the whole */
    guint32 vcpus, vcpus_max;
    guint32 has_secrets;
    guint32 n_disks, n_interfaces, n_graphics;
    Text type, uuid, name, arch, machine, title, description;
} Head;

typedef struct {
    Text target, device, bus, source, type, format, serial;
    guint32 readonly;
} Disk;

typedef struct {
    Text mac, type, model, source, target, bridge, portgroup, link_state;
    guint32 mtu;
} Interface;

typedef struct {
    Text type, address;
    guint32 port, tls_port;
} Graphics;

#define HEAD_TEXTS 7
#define HEAD_TEXTS_NEEDED 5
#define DISK_TEXTS 7
#define INTERFACE_TEXTS 8
#define GRAPHICS_TEXTS 2
G_STATIC_ASSERT(G_STRUCT_OFFSET(Head, type) + HEAD_TEXTS * sizeof(Text) == sizeof(Head));
G_STATIC_ASSERT(G_STRUCT_OFFSET(Disk, readonly) == DISK_TEXTS * sizeof(Text));
G_STATIC_ASSERT(G_STRUCT_OFFSET(Interface, mtu) == INTERFACE_TEXTS * sizeof(Text));
G_STATIC_ASSERT(G_STRUCT_OFFSET(Graphics, port) == GRAPHICS_TEXTS * sizeof(Text));

static gsize interfaces_at(const Head *head)
{
    return sizeof(Head) + head->n_disks * sizeof(Disk);
}

static gsize graphics_at(const Head *head)
{
    return interfaces_at(head) + head->n_interfaces * sizeof(Interface);
}

static gsize texts_at(const Head *head)
{
    return graphics_at(head) + head->n_graphics * sizeof(Graphics);
}

/* ---- packing ----------------------------------------------------------------------------------
 */

static Text add_text(GByteArray *packed, const char *text)
{
    Text at = packed->len;

    if (text == NULL)
        return 0;
    g_byte_array_append(packed, (const guint8 *)text, strlen(text) + 1);
    return at;
}

static Disk pack_disk(GByteArray *packed, const VbDiskDef *def)
{
    Disk disk = {
        .target = add_text(packed, def->target),
        .device = add_text(packed, vb_disk_device_to_string(def->device)),
        .bus = add_text(packed, vb_disk_bus_to_string(def->bus)),
        .serial = add_text(packed, def->serial),
        .readonly = def->readonly,
    };

    if (def->source != NULL) {
        g_autofree char *source = vb_disk_source_to_string(def->source);

        disk.source = add_text(packed, source);
        disk.type = add_text(packed, vb_disk_source_type_to_string(def->source->type));
        disk.format = add_text(packed, vb_disk_format_to_string(def->source->format));
    }
    return disk;
}

/* NULL: it has none. */
static const char *interface_source(const VbInterfaceDef *def)
{
    switch (def->type) {
    case VB_INTERFACE_NETWORK:
        return def->network;
    case VB_INTERFACE_BRIDGE:
        return def->bridge;
    case VB_INTERFACE_USER:
    case VB_INTERFACE_ETHERNET:
        break;
    }
    return NULL;
}

static Interface pack_interface(GByteArray *packed, const VbInterfaceDef *def)
{
    return (Interface){
        .mac = add_text(packed, def->mac),
        .type = add_text(packed, vb_interface_type_to_string(def->type)),
        .model = add_text(packed, vb_interface_model_to_string(def->model)),
        .source = add_text(packed, interface_source(def)),
        .target = add_text(packed, def->target),
        .bridge = add_text(packed, def->type == VB_INTERFACE_NETWORK ? def->bridge : NULL),
        .portgroup = add_text(packed, def->portgroup),
        .link_state = add_text(packed, def->link_state != VB_LINK_STATE_DEFAULT
                                           ? vb_link_state_to_string(def->link_state)
                                           : NULL),
        .mtu = def->mtu,
    };
}

static Graphics pack_graphics(GByteArray *packed, const VbGraphicsDef *def)
{
    return (Graphics){
        .type = add_text(packed, vb_graphics_type_to_string(def->type)),
        .address =
            add_text(packed, def->listen == VB_GRAPHICS_LISTEN_SOCKET ? def->socket : def->address),
        .port = MAX(def->port, 0),
        .tls_port = MAX(def->tls_port, 0),
    };
}

/* The records first, as they grow no more; then each is filled in with its texts behind them all.
 */
GBytes *vb_domain_summary_pack(const VbDomainDef *def, gboolean has_secrets)
{
    g_autoptr(GByteArray) packed = g_byte_array_sized_new(512);
    Head head = {
        .memory = def->memory,
        .current_memory = def->current_memory,
        .vcpus = def->vcpus,
        .vcpus_max = def->vcpus_max,
        .has_secrets = has_secrets,
        .n_disks = def->disks->len,
        .n_interfaces = def->interfaces->len,
        .n_graphics = def->graphics->len,
    };

    g_byte_array_set_size(packed, texts_at(&head));
    head.type = add_text(packed, vb_domain_type_to_string(def->type));
    head.uuid = add_text(packed, def->uuid);
    head.name = add_text(packed, def->name);
    head.arch = add_text(packed, def->os.arch);
    head.machine = add_text(packed, def->os.machine);
    head.title = add_text(packed, def->title);
    head.description = add_text(packed, def->description);
    for (guint i = 0; i < head.n_disks; i++) {
        Disk disk = pack_disk(packed, def->disks->pdata[i]);
        memcpy(packed->data + sizeof(Head) + i * sizeof disk, &disk, sizeof disk);
    }
    for (guint i = 0; i < head.n_interfaces; i++) {
        Interface interface = pack_interface(packed, def->interfaces->pdata[i]);
        memcpy(packed->data + interfaces_at(&head) + i * sizeof interface, &interface,
               sizeof interface);
    }
    for (guint i = 0; i < head.n_graphics; i++) {
        Graphics graphics = pack_graphics(packed, def->graphics->pdata[i]);
        memcpy(packed->data + graphics_at(&head) + i * sizeof graphics, &graphics, sizeof graphics);
    }
    head.size = packed->len;
    memcpy(packed->data, &head, sizeof head);
    /* A copy of the right size. */
    return g_bytes_new(packed->data, packed->len);
}

/* ---- checking ---------------------------------------------------------------------------------
 */

/* Every record has its texts first; the last byte of the whole ends the last text. */
static gboolean check_texts(const Head *head, gsize at, guint n_records, gsize record_size,
                            guint n_texts)
{
    gsize first = texts_at(head);

    for (guint i = 0; i < n_records; i++) {
        const Text *texts = (const Text *)((const char *)head + at + i * record_size);
        for (guint t = 0; t < n_texts; t++)
            if (texts[t] != 0 && (texts[t] < first || texts[t] >= head->size))
                return FALSE;
    }
    return TRUE;
}

gboolean vb_domain_summary_check(gconstpointer data, gsize size)
{
    const Head *head = data;
    const Text *texts = &head->type;

    if (size < sizeof(Head) || head->size != size || head->n_disks > size ||
        head->n_interfaces > size || head->n_graphics > size || texts_at(head) >= size ||
        ((const char *)data)[size - 1] != '\0')
        return FALSE;
    for (guint i = 0; i < HEAD_TEXTS_NEEDED; i++)
        if (texts[i] == 0)
            return FALSE;
    return check_texts(head, G_STRUCT_OFFSET(Head, type), 1, 0, HEAD_TEXTS) &&
           check_texts(head, sizeof(Head), head->n_disks, sizeof(Disk), DISK_TEXTS) &&
           check_texts(head, interfaces_at(head), head->n_interfaces, sizeof(Interface),
                       INTERFACE_TEXTS) &&
           check_texts(head, graphics_at(head), head->n_graphics, sizeof(Graphics), GRAPHICS_TEXTS);
}

/* ---- reading ----------------------------------------------------------------------------------
 */

static const char *text_at(gconstpointer packed, Text text)
{
    return text != 0 ? (const char *)packed + text : NULL;
}

VbDomainSummary vb_domain_summary_unpack(gconstpointer packed)
{
    const Head *head = packed;

    return (VbDomainSummary){
        .type = text_at(head, head->type),
        .uuid = text_at(head, head->uuid),
        .name = text_at(head, head->name),
        .arch = text_at(head, head->arch),
        .machine = text_at(head, head->machine),
        .title = text_at(head, head->title),
        .description = text_at(head, head->description),
        .memory = head->memory,
        .current_memory = head->current_memory,
        .vcpus = head->vcpus,
        .vcpus_max = head->vcpus_max,
        .has_secrets = head->has_secrets,
        .n_disks = head->n_disks,
        .n_interfaces = head->n_interfaces,
        .n_graphics = head->n_graphics,
        .packed = head,
    };
}

gsize vb_domain_summary_size(const VbDomainSummary *summary)
{
    return ((const Head *)summary->packed)->size;
}

VbDiskSummary vb_domain_summary_disk(const VbDomainSummary *summary, guint index)
{
    const Head *head = summary->packed;
    const Disk *disk = (const Disk *)(head + 1) + index;

    g_assert(index < head->n_disks);
    return (VbDiskSummary){
        .target = text_at(head, disk->target),
        .device = text_at(head, disk->device),
        .bus = text_at(head, disk->bus),
        .source = text_at(head, disk->source),
        .type = text_at(head, disk->type),
        .format = text_at(head, disk->format),
        .serial = text_at(head, disk->serial),
        .readonly = disk->readonly,
    };
}

VbInterfaceSummary vb_domain_summary_interface(const VbDomainSummary *summary, guint index)
{
    const Head *head = summary->packed;
    const Interface *interface =
        (const Interface *)((const char *)head + interfaces_at(head)) + index;

    g_assert(index < head->n_interfaces);
    return (VbInterfaceSummary){
        .mac = text_at(head, interface->mac),
        .type = text_at(head, interface->type),
        .model = text_at(head, interface->model),
        .source = text_at(head, interface->source),
        .target = text_at(head, interface->target),
        .bridge = text_at(head, interface->bridge),
        .portgroup = text_at(head, interface->portgroup),
        .link_state = text_at(head, interface->link_state),
        .mtu = interface->mtu,
    };
}

VbGraphicsSummary vb_domain_summary_graphics(const VbDomainSummary *summary, guint index)
{
    const Head *head = summary->packed;
    const Graphics *graphics = (const Graphics *)((const char *)head + graphics_at(head)) + index;

    g_assert(index < head->n_graphics);
    return (VbGraphicsSummary){
        .type = text_at(head, graphics->type),
        .address = text_at(head, graphics->address),
        .port = graphics->port,
        .tls_port = graphics->tls_port,
    };
}
