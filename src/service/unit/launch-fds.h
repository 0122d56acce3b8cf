/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How unit-input.c hands a program's environment and descriptors to virtbus-launch-helper: in one
 * message over a SOCK_SEQPACKET socket, the descriptors with it. Its bytes: a version, then each
 * "NAME=value" with its NUL. */
#pragma once

#define VB_LAUNCH_VERSION 1
#define VB_LAUNCH_SIZE_MAX (64 * 1024)
#define VB_LAUNCH_FDS_MAX 253 /* the kernel's limit for one message */
#define VB_LAUNCH_FIRST_FD 3
