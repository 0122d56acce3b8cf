/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Appending what is not valid, and the size of a message by the D-Bus specification's layout. */
#include "message.h"

#include "service-peer.h"

typedef struct {
    Peer *peer;
    sd_bus_message *message;
} Fixture;

static void fixture_set_up(Fixture *f, gconstpointer data)
{
    f->peer = peer_new(FALSE);
    f->message = peer_new_call(f->peer, "/a", "a.b", "C");
}

static void fixture_tear_down(Fixture *f, gconstpointer data)
{
    sd_bus_message_unref(f->message);
    peer_free(f->peer);
}

static void seal(Fixture *f)
{
    g_assert_cmpint(sd_bus_message_seal(f->message, 1, 0), >=, 0);
}

static void test_strings(Fixture *f, gconstpointer data)
{
    const char *const list[] = {"a", "\xff", NULL};
    const char *null, *valid, *repaired, *first, *second;

    vb_message_append_string(f->message, NULL);
    vb_message_append_string(f->message, "gr\xc3\xbc\xc3\x9f");
    vb_message_append_string(f->message, "a\xff");
    vb_message_append_strv(f->message, list);
    vb_message_append_strv(f->message, NULL);
    seal(f);
    g_assert_cmpstr(sd_bus_message_get_signature(f->message, TRUE), ==, "sssasas");
    g_assert_cmpint(sd_bus_message_read(f->message, "sss", &null, &valid, &repaired), >, 0);
    g_assert_cmpstr(null, ==, "");
    g_assert_cmpstr(valid, ==, "gr\xc3\xbc\xc3\x9f");
    g_assert_cmpstr(repaired, ==, "a\xef\xbf\xbd");
    g_assert_cmpint(sd_bus_message_read(f->message, "as", 2, &first, &second), >, 0);
    g_assert_cmpstr(second, ==, "\xef\xbf\xbd");
    g_assert_cmpint(sd_bus_message_read(f->message, "as", 0), >, 0);
}

static void test_entries(Fixture *f, gconstpointer data)
{
    const char *text;
    uint64_t offset;
    int synthesized;

    g_assert_cmpint(sd_bus_message_open_container(f->message, 'a', "{sv}"), >=, 0);
    vb_message_append_entry(f->message, "synthesized", "b", TRUE);
    vb_message_append_entry(f->message, "offset", "t", (uint64_t)7);
    vb_message_append_entry_string(f->message, "reason", "\xff");
    g_assert_cmpint(sd_bus_message_close_container(f->message), >=, 0);
    seal(f);
    g_assert_cmpint(sd_bus_message_enter_container(f->message, 'a', "{sv}"), >, 0);
    g_assert_cmpint(sd_bus_message_read(f->message, "{sv}", &text, "b", &synthesized), >, 0);
    g_assert_cmpstr(text, ==, "synthesized");
    g_assert_true(synthesized);
    g_assert_cmpint(sd_bus_message_read(f->message, "{sv}", &text, "t", &offset), >, 0);
    g_assert_cmpuint(offset, ==, 7);
    g_assert_cmpint(sd_bus_message_read(f->message, "{sv}", NULL, "s", &text), >, 0);
    g_assert_cmpstr(text, ==, "\xef\xbf\xbd");
}

/* Sizes counted by hand. */
static void test_size(Fixture *f, gconstpointer data)
{
    /* y: 0..1, s at 4: 4 + 3 + 1 = 12, t at 16: 24, g: 1 + 1 + 1 = 27 */
    g_assert_cmpint(sd_bus_message_append(f->message, "ystg", 1, "abc", (uint64_t)1, "s"), >=, 0);
    /* a{sv} empty: length at 28..32, padded to 8: 32 */
    g_assert_cmpint(sd_bus_message_append(f->message, "a{sv}", 0), >=, 0);
    /* length 32..36, padding 40; entry: "k" 40..46, variant: 46 + 3 = 49, u at 52: 56 */
    g_assert_cmpint(sd_bus_message_append(f->message, "a{sv}", 1, "k", "u", 7), >=, 0);
    /* struct at 56: q 58, o "/" at 60: 66; an empty array of bytes: length at 68..72 */
    g_assert_cmpint(sd_bus_message_append(f->message, "(qo)ay", 1, "/", 0), >=, 0);
    seal(f);
    g_assert_cmpuint(vb_message_body_size(f->message, G_MAXSIZE), ==, 72);
    g_assert_cmpuint(vb_message_body_size(f->message, G_MAXSIZE), ==, 72); /* it was rewound */
    g_assert_cmpuint(vb_message_body_size(f->message, 40), >, 40);
}

static void test_size_empty(Fixture *f, gconstpointer data)
{
    seal(f);
    g_assert_cmpuint(vb_message_body_size(f->message, G_MAXSIZE), ==, 0);
}

#define ADD(name, func)                                                                            \
    g_test_add("/service/message/" name, Fixture, NULL, fixture_set_up, func, fixture_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("strings", test_strings);
    ADD("entries", test_entries);
    ADD("size", test_size);
    ADD("size-empty", test_size_empty);
    return g_test_run();
}
