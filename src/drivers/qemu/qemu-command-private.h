/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbCommand: a command line in the making. Shared by qemu-command*.c and nothing else. */
#pragma once

#include "qemu-command.h"
#include "qmp-args.h"

typedef struct {
    const VbQemuCommandInput *input;
    const VbDomainDef *def;
    GPtrArray *argv;  /* of char * */
    GPtrArray *types; /* of char *: each QOM type that was asked for, for the check */
} VbCommand;

/* An option without a value, with one, or with one that is taken over. */
void vb_command_flag(VbCommand *command, const char *option);
void vb_command_add(VbCommand *command, const char *option, const char *value);
void vb_command_take(VbCommand *command, const char *option, char *value);

/* A user's string as one value of QEMU's old option syntax: commas doubled. (transfer full) */
char *vb_command_escape(const char *value);

/* -object of that type; `properties` is consumed. */
void vb_command_object(VbCommand *command, JsonObject *properties);
/* -device: `properties` (consumed) begin with "driver"; id, bus, address and boot index are added
 * from `info`. */
void vb_command_device(VbCommand *command, const VbDeviceInfo *info, guint boot_index,
                       JsonObject *properties);

/* The boot index of a device: its own <boot order>, or the place of its kind in <os>'s list when it
 * is the first of the kind. 0: none. */
guint vb_command_boot_index(const VbDomainDef *def, const VbDeviceInfo *info, VbBootDevice kind,
                            gboolean first);

/* The controller of that index, NULL when there is none; the companions of an EHCI, which share its
 * index and its bus, are not meant. */
const VbControllerDef *vb_command_controller(const VbDomainDef *def, VbControllerType type,
                                             guint index);

/* "on" and "off", or NULL where nothing was said. */
const char *vb_command_on_off(VbTristate value);

/* The QOM types that the definition's devices, backends and chardevs are made of; addresses and
 * chains may be missing. Array of char *. (transfer full) */
GPtrArray *vb_command_types(const VbQemuCommandInput *input);

/* qemu-command-machine.c */
void vb_command_machine(VbCommand *command);
void vb_command_cpu(VbCommand *command);
void vb_command_clock(VbCommand *command);
void vb_command_firmware(VbCommand *command);
/* The model for -cpu, NULL for QEMU's own default. (transfer full) */
char *vb_command_cpu_model(const VbDomainDef *def, const VbQemuCaps *caps);

/* qemu-command-devices.c */
void vb_command_controllers(VbCommand *command);
void vb_command_disk_nodes(VbCommand *command);
void vb_command_disks(VbCommand *command);
void vb_command_small_devices(VbCommand *command); /* input, rng, balloon, watchdog */

/* qemu-command-network.c */
void vb_command_interfaces(VbCommand *command);

/* qemu-command-console.c */
void vb_command_chars(VbCommand *command);
void vb_command_graphics(VbCommand *command);
void vb_command_videos(VbCommand *command);
