/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A table that is not whole is refused at registration, and the fault is named. */
#include "interface.h"

#include <string.h>

#include "error.h"

static void handle(VbCall *call, gpointer data)
{
}

static void get(sd_bus_message *reply, gpointer data)
{
}

static const VbMethod good_methods[] = {
    VB_METHOD("One", "sa{sv}", "text options", "a{oa{sa{sv}}}s", "objects cursor", VB_PUBLIC,
              handle),
    VB_METHOD("Two", "", "", "", "", VB_ACTION("org.virtbus1.thing.operate"), handle),
    {}};
static const VbProperty good_properties[] = {
    VB_PROPERTY("A", "s", VB_CONST, get), VB_PROPERTY("B", "a(ss)", VB_EMITS_CHANGE, get), {}};
static const VbSignal good_signals[] = {VB_SIGNAL("Happened", "sa{sv}", "event details"), {}};

static void test_good(void)
{
    VbInterface interface = {"org.virtbus1.Thing", good_methods, good_properties, good_signals};
    g_autoptr(GError) error = NULL;

    g_assert_true(vb_interface_check(&interface, &error));
    g_assert_no_error(error);
    g_assert_true(vb_interface_find_method(&interface, "Two") == &good_methods[1]);
    g_assert_null(vb_interface_find_method(&interface, "Three"));
    g_assert_true(vb_interface_find_signal(&interface, "Happened") == &good_signals[0]);
    g_assert_null(vb_interface_find_signal(&interface, "A"));
    g_assert_cmpint(vb_interface_find_property(&interface, "B"), ==, 1);
    g_assert_cmpint(vb_interface_find_property(&interface, "C"), ==, -1);
    interface = (VbInterface){.name = "org.virtbus1.Empty"};
    g_assert_true(vb_interface_check(&interface, &error));
    g_assert_null(vb_interface_find_method(&interface, "Two"));
}

static void assert_bad(const VbInterface *interface, const char *text)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(vb_interface_check(interface, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_FAILED);
    if (strstr(error->message, text) == NULL)
        g_error("'%s' is not in '%s'", text, error->message);
}

static void assert_bad_method(const VbMethod *method, const char *text)
{
    VbMethod methods[] = {good_methods[0], *method, {}};
    VbInterface interface = {"org.virtbus1.Thing", methods, NULL, NULL};
    g_autofree char *named = g_strdup_printf("member %s: %s", method->member, text);

    assert_bad(&interface, named);
}

static void test_bad_methods(void)
{
    const VbMethod bad_name = VB_METHOD("T-wo", "", "", "", "", VB_PUBLIC, handle);
    const VbMethod twice = VB_METHOD("One", "", "", "", "", VB_PUBLIC, handle);
    const VbMethod few_names = VB_METHOD("Two", "ss", "a", "", "", VB_PUBLIC, handle);
    const VbMethod many_names = VB_METHOD("Two", "", "", "s", "a b", VB_PUBLIC, handle);
    const VbMethod double_space = VB_METHOD("Two", "ss", "a  b", "", "", VB_PUBLIC, handle);
    const VbMethod bad_signature = VB_METHOD("Two", "a{vs}", "a", "", "", VB_PUBLIC, handle);
    const VbMethod no_handler = VB_METHOD("Two", "", "", "", "", VB_PUBLIC, NULL);
    const VbMethod no_action = VB_METHOD("Two", "", "", "", "", VB_ACTION(""), handle);
    const VbMethod no_access = {"Two", "", "", "", "", .handler = handle};

    assert_bad_method(&bad_name, "not a name");
    assert_bad_method(&twice, "not a name, or not the only one");
    assert_bad_method(&few_names, "signatures and names");
    assert_bad_method(&many_names, "signatures and names");
    assert_bad_method(&double_space, "signatures and names");
    assert_bad_method(&bad_signature, "signatures and names");
    assert_bad_method(&no_handler, "no handler");
    assert_bad_method(&no_action, "neither an action nor public");
    assert_bad_method(&no_access, "neither an action nor public");
}

static void assert_bad_property(const VbProperty *property, const char *text)
{
    VbProperty properties[] = {good_properties[0], *property, {}};
    VbInterface interface = {"org.virtbus1.Thing", NULL, properties, NULL};

    assert_bad(&interface, text);
}

static void test_bad_properties(void)
{
    const VbProperty twice = VB_PROPERTY("A", "s", VB_CONST, get);
    const VbProperty two_types = VB_PROPERTY("C", "ss", VB_CONST, get);
    const VbProperty no_type = VB_PROPERTY("C", "", VB_CONST, get);
    const VbProperty no_emits = VB_PROPERTY("C", "s", 0, get);
    const VbProperty no_getter = VB_PROPERTY("C", "s", VB_CONST, NULL);

    assert_bad_property(&twice, "not a name, or not the only one");
    assert_bad_property(&two_types, "not one type");
    assert_bad_property(&no_type, "not one type");
    assert_bad_property(&no_emits, "what it emits");
    assert_bad_property(&no_getter, "no getter");
}

static void test_too_many_properties(void)
{
    g_autofree VbProperty *properties = g_new0(VbProperty, VB_INTERFACE_PROPERTIES_MAX + 2);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    VbInterface interface = {"org.virtbus1.Thing", NULL, properties, NULL};
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i <= VB_INTERFACE_PROPERTIES_MAX; i++) {
        g_assert_cmpint(vb_interface_check(&interface, &error), ==, TRUE);
        g_ptr_array_add(names, g_strdup_printf("P%u", i));
        properties[i] = (VbProperty){names->pdata[i], "s", VB_CONST, get};
    }
    assert_bad(&interface, "too many properties");
}

static void test_bad_signals(void)
{
    static const VbSignal twice[] = {VB_SIGNAL("A", "", ""), VB_SIGNAL("A", "", ""), {}};
    static const VbSignal names[] = {VB_SIGNAL("A", "s", ""), {}};
    VbInterface interface = {"org.virtbus1.Thing", NULL, NULL, twice};
    VbInterface nameless = {"Thing", NULL, NULL, NULL};

    assert_bad(&interface, "member A: not a name, or not the only one");
    interface.signals = names;
    assert_bad(&interface, "member A: signature and names");
    assert_bad(&nameless, "'Thing' is not the name of an interface");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/service/interface/good", test_good);
    g_test_add_func("/service/interface/bad-methods", test_bad_methods);
    g_test_add_func("/service/interface/bad-properties", test_bad_properties);
    g_test_add_func("/service/interface/too-many-properties", test_too_many_properties);
    g_test_add_func("/service/interface/bad-signals", test_bad_signals);
    return g_test_run();
}
