/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Order statistics of PerfSamples. */
#include "stats.h"

#include <math.h>
#include <stdlib.h>

#define RESAMPLES 2000
#define SEED 20120915

struct PerfSamples {
    GArray *values; /* of double, in the order of their coming */
};

PerfSamples *perf_samples_new(void)
{
    PerfSamples *samples = g_new0(PerfSamples, 1);

    samples->values = g_array_new(FALSE, FALSE, sizeof(double));
    return samples;
}

void perf_samples_free(PerfSamples *samples)
{
    if (samples == NULL)
        return;
    g_array_unref(samples->values);
    g_free(samples);
}

void perf_samples_add(PerfSamples *samples, double value)
{
    g_array_append_val(samples->values, value);
}

guint perf_samples_count(const PerfSamples *samples)
{
    return samples->values->len;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double *sorted_copy(const double *values, guint n)
{
    double *copy = g_memdup2(values, n * sizeof *values);

    qsort(copy, n, sizeof *copy, compare);
    return copy;
}

static double quantile_of_sorted(const double *sorted, guint n, double share)
{
    double at = share * (n - 1);
    guint below = (guint)at;

    if (below + 1 >= n)
        return sorted[n - 1];
    return sorted[below] + (at - below) * (sorted[below + 1] - sorted[below]);
}

static const double *values_of(const PerfSamples *samples)
{
    return (const double *)(gpointer)samples->values->data;
}

double perf_samples_quantile(const PerfSamples *samples, double share)
{
    guint n = samples->values->len;
    g_autofree double *sorted = NULL;

    if (n == 0)
        return NAN;
    sorted = sorted_copy(values_of(samples), n);
    return quantile_of_sorted(sorted, n, share);
}

/* How many of n samples may lie outside on one side: the greatest k for which fewer than k heads in
 * n throws of a coin have a probability of at most 2.5 %; 0 when there is none. */
static guint outside(guint n)
{
    double term, sum;
    guint k = 0;

    if (n > 500) /* the normal approximation, good to a rank there */
        return (guint)(n / 2.0 - 1.96 * sqrt(n) / 2.0);
    term = sum = pow(0.5, n);
    while (sum <= 0.025) {
        k++;
        term *= (double)(n - k + 1) / k;
        sum += term;
    }
    return k;
}

PerfInterval perf_samples_median_interval(const PerfSamples *samples)
{
    guint n = samples->values->len, k;
    g_autofree double *sorted = NULL;

    if (n == 0)
        return (PerfInterval){NAN, NAN};
    sorted = sorted_copy(values_of(samples), n);
    k = MAX(outside(n), 1);
    return (PerfInterval){sorted[k - 1], sorted[n - k]};
}

static double resampled_median(const PerfSamples *samples, GRand *random, double *buffer)
{
    guint n = samples->values->len;

    for (guint i = 0; i < n; i++)
        buffer[i] = values_of(samples)[g_rand_int_range(random, 0, n)];
    qsort(buffer, n, sizeof *buffer, compare);
    return quantile_of_sorted(buffer, n, 0.5);
}

PerfInterval perf_samples_ratio_interval(const PerfSamples *a, const PerfSamples *b)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(SEED);
    g_autofree double *buffer = g_new(double, MAX(a->values->len, b->values->len));
    g_autofree double *ratios = g_new(double, RESAMPLES);

    if (a->values->len == 0 || b->values->len == 0)
        return (PerfInterval){NAN, NAN};
    for (guint i = 0; i < RESAMPLES; i++) {
        double above = resampled_median(a, random, buffer);
        ratios[i] = above / resampled_median(b, random, buffer);
    }
    qsort(ratios, RESAMPLES, sizeof *ratios, compare);
    return (PerfInterval){quantile_of_sorted(ratios, RESAMPLES, 0.025),
                          quantile_of_sorted(ratios, RESAMPLES, 0.975)};
}

double perf_samples_slope(const PerfSamples *samples)
{
    g_autoptr(PerfSamples) slopes = perf_samples_new();
    const double *values = values_of(samples);

    for (guint i = 0; i < samples->values->len; i++) {
        for (guint j = i + 1; j < samples->values->len; j++)
            perf_samples_add(slopes, (values[j] - values[i]) / (j - i));
    }
    return perf_samples_quantile(slopes, 0.5);
}
