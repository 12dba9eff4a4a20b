/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm_port: a NIC for a running VM, together with the port of the switch that it is plugged into.
 *
 * The port listens at a socket in the VM's folder, RUN_DIR/vm/NAME, by which it is known later as
 * one of ours; its name is the VM's with a number, and the NIC's name too. It goes when the NIC is
 * taken out, when plugging it in fails, and when the VM ends.
 */
#ifndef CLI_VM_PORT_H
#define CLI_VM_PORT_H

#include <jansson.h>

#include "cli/cli.h"
#include "cli/vmm_config.h"
#include "netqueue/netqueue.h"

#define VM_PORT_WHY  160
#define VM_PORT_VLAN 128

/* "br0,vlan=10,queues=2,mac=02:00:00:00:00:01"; a VLAN list has colons for commas: trunk:10:20. */
struct vm_port_spec {
	char bridge[NQ_NAME];
	char vlan[VM_PORT_VLAN]; /* as switch_rules.h has it; "": all */
	unsigned queues;
	bool has_mac;
	uint8_t mac[6];
};

/* -EINVAL */
int vm_port_parse(const char *text, struct vm_port_spec *spec, char why[VM_PORT_WHY]);

/* Adds the port to the switch that runs, and fills in what the VM is to be told. -EIO, logged. */
int vm_port_add(struct cli *cli, const char *vm, const struct vm_port_spec *spec,
		struct vmm_net *net);
/* Takes it away; logged. */
int vm_port_remove(struct cli *cli, const char *port);
/* Whether a socket is that of a port of this VM. */
bool vm_port_owns(const struct cli *cli, const char *vm, const char *socket);
/* The VM has ended: all that it had. Quiet where no switch runs. */
void vm_port_forget(struct cli *cli, const char *vm);

#endif
