/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host_file: /etc/sluice/host.yaml, a whole host in one file, read and checked.
 *
 *     version: 1
 *     pfs:
 *       - pf: ens1f0
 *         count: 8
 *         vfs:
 *           - {vf: 0, mac: 02:00:00:00:00:10, vlan: 100}
 *     pools:
 *       - {name: fast, pf: ens1f0}
 *     switch:
 *       bridges: [{name: br0}]
 *       ports:
 *         - {name: web, bridge: br0, to: vhost:/run/sluice/ports/web.sock, vlan: 10}
 *     vms:
 *       - name: router
 *         firmware: uefi
 *         disk: /srv/router.img
 *         vf: [fast, fast]
 *         autostart: yes
 *         restart: always
 *         order: 1
 *
 * The keys of a VM are the options of `vm run`, without their dashes, beside those that say when it
 * runs. What a section does not name stays as it is; a section that is not there is not touched.
 * Everything that can be known wrong without looking at the machine is refused here, with line and
 * column, before anything is done.
 */
#ifndef CLI_HOST_FILE_H
#define CLI_HOST_FILE_H

#include <jansson.h>
#include <stdbool.h>

#include "cli/yaml_file.h"

#define HOST_FILE	  "/etc/sluice/host.yaml"
#define HOST_FILE_VERSION 1

struct host_file;

/* -EINVAL: what is wrong was logged, all of it. */
int host_file_read(const char *path, struct host_file **out);
void host_file_free(struct host_file *file);

/* The sections as wish_file.h, switch_config.h and host_vm below have them; borrowed, NULL where
 * the file has none. */
const json_t *host_file_wishes(const struct host_file *file); /* {"pfs", "pools"} */
const json_t *host_file_switch(const struct host_file *file);

enum host_restart { HOST_RESTART_NO, HOST_RESTART_ON_FAILURE, HOST_RESTART_ALWAYS };

struct host_vm {
	const char *name;  /* borrowed from the file */
	const char *where; /* "host.yaml:12:5" */
	json_t *record;	   /* vm_record.h: how it is run; borrowed */
	bool autostart;
	enum host_restart restart;
	unsigned order;	       /* smaller ones start first and end last */
	unsigned stop_timeout; /* seconds that it has for an orderly end */
};
bool host_file_has_vms(const struct host_file *file); /* section "vms" is there */
/* In the order in which they start. */
const struct host_vm *host_file_vms(const struct host_file *file, size_t *count);

#endif
