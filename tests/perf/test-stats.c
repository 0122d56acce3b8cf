/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * stats.c, on samples whose order statistics are known. */
#include "stats.h"

#include <math.h>

static PerfSamples *make(guint n, double first, double step)
{
    PerfSamples *samples = perf_samples_new();

    /* Not in order: 0, n-1, 1, n-2 … */
    for (guint i = 0; i < n; i++)
        perf_samples_add(samples, first + step * (i % 2 == 0 ? i / 2 : n - 1 - i / 2));
    return samples;
}

static void test_quantiles(void)
{
    g_autoptr(PerfSamples) none = perf_samples_new();
    g_autoptr(PerfSamples) one = make(1, 7, 1);
    g_autoptr(PerfSamples) even = make(4, 1, 1);
    g_autoptr(PerfSamples) hundred = make(101, 0, 1);

    g_assert_true(isnan(perf_samples_quantile(none, 0.5)));
    g_assert_cmpfloat(perf_samples_quantile(one, 0.5), ==, 7);
    g_assert_cmpfloat(perf_samples_quantile(one, 0.99), ==, 7);
    g_assert_cmpfloat(perf_samples_quantile(even, 0.5), ==, 2.5);
    g_assert_cmpfloat(perf_samples_quantile(hundred, 0.5), ==, 50);
    g_assert_cmpfloat(perf_samples_quantile(hundred, 0.99), ==, 99);
    g_assert_cmpfloat(perf_samples_quantile(hundred, 0), ==, 0);
    g_assert_cmpfloat(perf_samples_quantile(hundred, 1), ==, 100);
    g_assert_cmpuint(perf_samples_count(hundred), ==, 101);
}

/* Against the tables of order statistics: of 10 samples the 2nd to the 9th, of 20 the 6th to the
 * 15th, of 100 the 40th to the 61st. */
static void test_median_interval(void)
{
    static const struct {
        guint n;
        double low, high;
    } known[] = {{1, 1, 1}, {5, 1, 5}, {6, 1, 6}, {10, 2, 9}, {20, 6, 15}, {100, 40, 61}};

    for (guint i = 0; i < G_N_ELEMENTS(known); i++) {
        g_autoptr(PerfSamples) samples = make(known[i].n, 1, 1);
        PerfInterval interval = perf_samples_median_interval(samples);

        g_assert_cmpfloat(interval.low, ==, known[i].low);
        g_assert_cmpfloat(interval.high, ==, known[i].high);
    }
    for (guint n = 490; n < 510; n++) { /* no step where the approximation begins */
        g_autoptr(PerfSamples) samples = make(n, 1, 1);
        PerfInterval interval = perf_samples_median_interval(samples);

        g_assert_cmpfloat_with_epsilon(interval.low, n / 2.0 - 0.98 * sqrt(n), 1.5);
        g_assert_cmpfloat_with_epsilon(interval.high, n / 2.0 + 1 + 0.98 * sqrt(n), 1.5);
    }
}

static void test_ratio_interval(void)
{
    g_autoptr(PerfSamples) none = perf_samples_new();
    g_autoptr(PerfSamples) constant = make(50, 4, 0);
    g_autoptr(PerfSamples) half = make(50, 2, 0);
    g_autoptr(PerfSamples) wide = make(201, 100, 1);
    g_autoptr(PerfSamples) same = make(201, 100, 1);
    PerfInterval interval = perf_samples_ratio_interval(constant, half);
    PerfInterval again;

    g_assert_cmpfloat(interval.low, ==, 2);
    g_assert_cmpfloat(interval.high, ==, 2);
    interval = perf_samples_ratio_interval(wide, same);
    g_assert_cmpfloat(interval.low, <, 1);
    g_assert_cmpfloat(interval.high, >, 1);
    g_assert_cmpfloat(interval.low, >, 0.8);
    g_assert_cmpfloat(interval.high, <, 1.25);
    again = perf_samples_ratio_interval(wide, same);
    g_assert_cmpfloat(interval.low, ==, again.low);
    g_assert_cmpfloat(interval.high, ==, again.high);
    g_assert_true(isnan(perf_samples_ratio_interval(none, wide).low));
}

static void test_slope(void)
{
    g_autoptr(PerfSamples) samples = perf_samples_new();

    g_assert_true(isnan(perf_samples_slope(samples)));
    for (guint i = 0; i < 30; i++)
        perf_samples_add(samples, i == 12 ? 1e9 : 100 + 0.5 * i);
    g_assert_cmpfloat_with_epsilon(perf_samples_slope(samples), 0.5, 1e-9);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/perf/stats/quantiles", test_quantiles);
    g_test_add_func("/perf/stats/median-interval", test_median_interval);
    g_test_add_func("/perf/stats/ratio-interval", test_ratio_interval);
    g_test_add_func("/perf/stats/slope", test_slope);
    return g_test_run();
}
