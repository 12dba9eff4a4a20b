# SPDX-License-Identifier: BSD-3-Clause
vdev_SRCS := vdev/machine.c
vdev_SRCS += vdev/pci_bar.c vdev/pci_bridge.c vdev/pci_config.c vdev/pci_host.c vdev/pci_state.c
vdev_SRCS += vdev/pci_slot.c vdev/hotplug.c vdev/cpus.c
vdev_SRCS += vdev/msi.c vdev/msix.c vdev/vector.c
vdev_SRCS += vdev/power.c vdev/pvpanic.c vdev/serial.c
vdev_SRCS += vdev/exit_port.c vdev/test_device.c
vdev_SRCS += vdev/vfio_config.c vdev/vfio_irq.c vdev/vfio_pci.c vdev/vfio_region.c vdev/vfio_reset.c
vdev_SRCS += vdev/iothread.c vdev/virtq.c vdev/virtq_packed.c vdev/virtq_split.c
vdev_SRCS += vdev/virtio.c vdev/virtio_irq.c vdev/virtio_pci.c
vdev_SRCS += vdev/virtio_rng.c
vdev_SRCS += vdev/blk_limit.c vdev/blk_ring.c vdev/virtio_blk.c
vdev_SRCS += vdev/debugcon.c vdev/firmware.c vdev/flash.c vdev/fw_cfg.c vdev/fw_image.c
vdev_SRCS += vdev/pci_ports.c vdev/pm.c vdev/q35.c vdev/rtc.c vdev/smbios.c
vdev_SRCS += vdev/watchdog.c vdev/vhost.c vdev/virtio_balloon.c vdev/virtio_console.c vdev/virtio_vsock.c
vdev_SRCS += vdev/vhost_user.c vdev/vhost_user_msg.c vdev/vhost_user_queues.c vdev/virtio_blk_user.c vdev/virtio_net_user.c
vdev_SRCS += vdev/net_ctrl.c vdev/net_pair.c vdev/net_tap.c vdev/virtio_net.c
