/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * PerfSamples: what one thing took, again and again, and what can be said of that: quantiles, and
 * intervals of confidence for a median and for the ratio of two medians. No distribution is
 * assumed: latencies have long tails, so there are no means and no deviations here. */
#pragma once

#include <glib.h>

typedef struct PerfSamples PerfSamples;

typedef struct {
    double low, high;
} PerfInterval;

PerfSamples *perf_samples_new(void);
void perf_samples_free(PerfSamples *samples); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PerfSamples, perf_samples_free)

void perf_samples_add(PerfSamples *samples, double value);
guint perf_samples_count(const PerfSamples *samples);

/* The value below which that share of them is (0: the least, 0.5: the median, 1: the greatest),
 * between two neighbours in proportion. NAN without samples. */
double perf_samples_quantile(const PerfSamples *samples, double share);
/* Where the median is with 95 % confidence, by the ranks of a binomial distribution: with fewer
 * than six samples, from the least to the greatest, and less certain. NANs without samples. */
PerfInterval perf_samples_median_interval(const PerfSamples *samples);
/* The same of median(a) / median(b), by 2,000 bootstrap resamples of each side with a fixed seed.
 */
PerfInterval perf_samples_ratio_interval(const PerfSamples *a, const PerfSamples *b);

/* The slope of the straight line through the samples over 0, 1, 2 …, as Theil and Sen have it: the
 * median of the slopes between all pairs, which a few outliers do not bend. NAN with fewer than two
 * samples. */
double perf_samples_slope(const PerfSamples *samples);
