/* SPDX-License-Identifier: BSD-3-Clause */
/* pci_ports: configuration space by I/O ports, as PC firmware wants it; see pci_ports.c. */
#ifndef VDEV_PCI_PORTS_H
#define VDEV_PCI_PORTS_H

#include "vdev/pci.h"

struct vdev_pci_ports;

int vdev_pci_ports_create(struct vdev_host *host, struct vdev_pci_ports **out);
void vdev_pci_ports_destroy(struct vdev_pci_ports *ports);

void vdev_pci_ports_save(const struct vdev_pci_ports *ports, struct state *s);
void vdev_pci_ports_load(struct vdev_pci_ports *ports, struct state *s);

#endif
