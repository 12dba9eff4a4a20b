# SPDX-License-Identifier: BSD-3-Clause
vdev_SRCS := vdev/machine.c \
	vdev/pci_bar.c vdev/pci_bridge.c vdev/pci_config.c vdev/pci_host.c \
	vdev/msi.c vdev/msix.c vdev/vector.c \
	vdev/debugcon.c vdev/firmware.c vdev/flash.c vdev/fw_cfg.c vdev/fw_image.c \
	vdev/pci_ports.c vdev/pm.c vdev/smbios.c vdev/q35.c vdev/rtc.c \
	vdev/power.c vdev/pvpanic.c vdev/serial.c \
	vdev/vfio_config.c vdev/vfio_irq.c vdev/vfio_pci.c vdev/vfio_region.c vdev/vfio_reset.c
