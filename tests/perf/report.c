/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * PerfReport. */
#include "report.h"

#include "process.h"

#include <json-glib/json-glib.h>
#include <math.h>
#include <stdio.h>

struct PerfReport {
    JsonObject *facts;
    JsonArray *measured, *ratios;
};

PerfReport *perf_report_new(void)
{
    PerfReport *report = g_new0(PerfReport, 1);

    report->facts = json_object_new();
    report->measured = json_array_new();
    report->ratios = json_array_new();
    return report;
}

void perf_report_free(PerfReport *report)
{
    if (report == NULL)
        return;
    json_object_unref(report->facts);
    json_array_unref(report->measured);
    json_array_unref(report->ratios);
    g_free(report);
}

void perf_report_fact(PerfReport *report, const char *name, const char *value)
{
    json_object_set_string_member(report->facts, name, value);
    printf("%s: %s\n", name, value);
}

static JsonObject *add_line(JsonArray *lines, const char *name, guint domains)
{
    JsonObject *line = json_object_new();

    json_array_add_object_element(lines, line);
    json_object_set_string_member(line, "case", name);
    json_object_set_int_member(line, "domains", domains);
    return line;
}

void perf_report_samples(PerfReport *report, const char *name, guint domains, const char *stack,
                         const char *unit, const PerfSamples *samples, const char *note)
{
    JsonObject *line = add_line(report->measured, name, domains);
    PerfInterval interval = perf_samples_median_interval(samples);
    double median = perf_samples_quantile(samples, 0.5), p99 = perf_samples_quantile(samples, 0.99);

    json_object_set_string_member(line, "stack", stack);
    json_object_set_string_member(line, "unit", unit);
    json_object_set_int_member(line, "samples", perf_samples_count(samples));
    json_object_set_double_member(line, "median", median);
    json_object_set_double_member(line, "low", interval.low);
    json_object_set_double_member(line, "high", interval.high);
    json_object_set_double_member(line, "p99", p99);
    json_object_set_double_member(line, "least", perf_samples_quantile(samples, 0));
    json_object_set_double_member(line, "greatest", perf_samples_quantile(samples, 1));
    if (note != NULL)
        json_object_set_string_member(line, "note", note);
    printf("%-28s %6u %-8s %12.1f %-4s", name, domains, stack, median, unit);
    if (perf_samples_count(samples) > 1)
        printf(" (%.1f–%.1f, p99 %.1f, n %u)", interval.low, interval.high, p99,
               perf_samples_count(samples));
    printf("%s%s\n", note != NULL ? "  " : "", note != NULL ? note : "");
}

void perf_report_value(PerfReport *report, const char *name, guint domains, const char *stack,
                       const char *unit, double value, const char *note)
{
    g_autoptr(PerfSamples) one = perf_samples_new();

    perf_samples_add(one, value);
    perf_report_samples(report, name, domains, stack, unit, one, note);
}

void perf_report_ratio(PerfReport *report, const char *name, guint domains, const char *of,
                       const PerfSamples *above, const PerfSamples *below)
{
    PerfInterval interval = perf_samples_ratio_interval(above, below);
    double ratio = perf_samples_quantile(above, 0.5) / perf_samples_quantile(below, 0.5);
    JsonObject *line;

    if (!isfinite(ratio) || !isfinite(interval.low) || !isfinite(interval.high))
        return;
    line = add_line(report->ratios, name, domains);
    json_object_set_string_member(line, "of", of);
    json_object_set_double_member(line, "ratio", ratio);
    json_object_set_double_member(line, "low", interval.low);
    json_object_set_double_member(line, "high", interval.high);
    printf("%-28s %6u %-21s ×%.3g (%.3g–%.3g)\n", name, domains, of, ratio, interval.low,
           interval.high);
}

void perf_report_write(PerfReport *report, const char *path)
{
    g_autoptr(JsonNode) root = json_node_new(JSON_NODE_OBJECT);
    g_autoptr(JsonGenerator) generator = json_generator_new();
    JsonObject *object = json_object_new();
    g_autoptr(GError) error = NULL;

    json_object_set_object_member(object, "facts", json_object_ref(report->facts));
    json_object_set_array_member(object, "measured", json_array_ref(report->measured));
    json_object_set_array_member(object, "ratios", json_array_ref(report->ratios));
    json_node_take_object(root, object);
    json_generator_set_root(generator, root);
    json_generator_set_pretty(generator, TRUE);
    if (!json_generator_to_file(generator, path, &error))
        perf_fail("%s", error->message);
}
