/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio: a virtio device on PCI (virtio 1.2, chapters 2, 3 and 4.1), whatever its type.
 *
 * A device type (virtio_rng.c is the smallest) embeds `struct vdev_virtio`, describes itself by a
 * `struct vdev_virtio_type`, and sees nothing of registers, vectors or rings' addresses:
 *
 *     create   vdev_virtio_init; vdev_host_add(host, &dev->virtio.fn)
 *     start    the driver said DRIVER_OK: features are agreed, the queues stand
 *     kick     on the queue's I/O thread: there are buffers (also once after each start)
 *     stop     synchronous: when it returns, no thread touches guest memory for this device
 *     …        start and stop come in pairs, any number of times (reset, queue reset, the VM's
 * pause) destroy  vdev_virtio_finish; free
 *
 * Threads. type->kick runs on the queue's I/O thread. Everything else runs with the device lock
 * held, on a vCPU thread or the main loop; I/O threads never take that lock, so start and stop may
 * wait for them (vdev_iothread_call). Interrupts are eventfds: any thread may send one.
 *
 * Modern only (4.1.4.3 ff.): a transitional device's I/O ports are not offered. One 64-bit BAR
 * holds registers, the notify area and the MSI-X table.
 */
#ifndef VDEV_VIRTIO_H
#define VDEV_VIRTIO_H

#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "base/state.h"
#include "hv-core/hv.h"
#include "vdev/iothread.h"
#include "vdev/msix.h"
#include "vdev/pci.h"
#include "vdev/vector.h"
#include "vdev/virtq.h"

#define VDEV_VIRTIO_QUEUES 64u
#define VDEV_FEATURE(bit)  (UINT64_C(1) << (bit))

struct vdev_virtio;

struct vdev_virtio_type {
	const char *name;     /* "virtio-blk" */
	uint16_t id;	      /* VIRTIO_ID_*; chapter 5 */
	uint32_t class;	      /* PCI class code, 24 bits */
	unsigned config_size; /* bytes of device-specific configuration, at most 4096 */
	/* Device-specific configuration; inside config_size, len 1, 2, 4 or 8. Without a write it
	 * is read-only. */
	void (*config_read)(struct vdev_virtio *dev, unsigned offset, void *data, unsigned len);
	void (*config_write)(struct vdev_virtio *dev, unsigned offset, const void *data,
			     unsigned len);
	/* dev->features is what the driver took, dev->queue[i].enabled which queues it set up. An
	 * error puts the device into needs-reset. May be NULL. */
	int (*start)(struct vdev_virtio *dev);
	/* Called without kicks on their way. What is in flight is finished or kept until start. */
	void (*stop)(struct vdev_virtio *dev);
	/* NULL: somebody else (vhost) listens to the queues' kick_fd. */
	void (*kick)(struct vdev_virtio *dev, unsigned queue);
	/* The eventfd of queue[i].vq.call_fd changed while it runs. NULL: it is read at each use.
	 */
	void (*call_changed)(struct vdev_virtio *dev, unsigned queue);
	/* After stop: what was kept is dropped, the type's own state is as after power-on. */
	void (*reset)(struct vdev_virtio *dev);
	/* After stop: what was kept of this queue is dropped (2.6.1). NULL: nothing ever is. */
	void (*queue_reset)(struct vdev_virtio *dev, unsigned queue);
	/* After stop. Why it cannot be saved ("requests wait for space on the host"), or NULL; the
	 * type's own state, the core does registers and queues. Each may be NULL. */
	const char *(*unsavable)(const struct vdev_virtio *dev);
	void (*save)(struct vdev_virtio *dev, struct state *s);
	void (*load)(struct vdev_virtio *dev, struct state *s);
	/* After stop: calls vdev_virtio_finish and frees. */
	void (*destroy)(struct vdev_virtio *dev);
};

struct vdev_virtio_queue {
	struct vdev_virtio *dev;
	struct vdev_virtq vq;
	bool enabled;	     /* by the driver, with ring addresses */
	uint16_t vector;     /* of the MSI-X table, or VIRTIO_MSI_NO_VECTOR */
	int kick_fd;	     /* eventfd: written by the engine when the driver notifies */
	uint64_t notify_gpa; /* where the engine listens for it; 0: nowhere */
	struct vdev_iothread *thread;
	struct loop_source *source; /* of kick_fd, on the thread; NULL: not listening */
};

struct vdev_virtio_event { /* an eventfd that the main loop watches */
	int fd;
	struct loop_source *source;
};

struct vdev_virtio {
	struct vdev_function fn;
	const struct vdev_virtio_type *type;
	struct hv_vm *vm;
	struct loop *loop;

	uint64_t offered, features; /* features: what the driver has acknowledged */
	uint8_t status;		    /* VIRTIO_CONFIG_S_*, 2.1 */
	bool running;		    /* between type->start and type->stop */
	bool quiet;		    /* quiesced: the VM stands still */
	atomic_bool broken;	    /* a queue broke, or start failed */

	struct vdev_virtio_queue *queue;
	unsigned queues;
	uint16_t queue_max; /* descriptors offered */

	/* common configuration's selectors, 4.1.4.3 */
	uint32_t device_select, driver_select;
	uint16_t queue_select;

	/* interrupts (virtio_irq.c) */
	struct vdev_msix msix;
	struct vdev_vector *vector;
	uint16_t config_vector;
	uint8_t isr;			 /* 4.1.4.5 */
	struct vdev_virtio_event intx;	 /* a queue's interrupt, without MSI-X */
	struct vdev_virtio_event change; /* the configuration changed, or it broke */
	atomic_uchar generation;	 /* of the configuration, 2.5.1 */
	atomic_bool config_dirty;

	/* PCI (virtio_pci.c) */
	struct hv_region *region;
	unsigned cap_express, cap_pci_cfg; /* 4.1.4.9 */
	uint64_t notifies;		   /* that came as exits */
};

struct vdev_virtio_config {
	const struct vdev_virtio_type *type;
	struct hv_vm *vm;
	struct loop *loop;
	const char *name;  /* "disk vda"; outlives the device */
	uint64_t features; /* of the type; those of the ring are added */
	unsigned queues;
	uint16_t queue_max;	      /* a power of two, at most VDEV_VIRTQ_MAX */
	struct vdev_iothread *thread; /* of every queue; stays the caller's; NULL without kick */
};

/* Builds registers, queues and eventfds; the device is then a function for vdev_host_add. On the
 * main loop's thread. On error nothing is left. */
int vdev_virtio_init(struct vdev_virtio *dev, const struct vdev_virtio_config *config);
/* The counterpart, at the end of type->destroy; on a zeroed one does nothing. */
void vdev_virtio_finish(struct vdev_virtio *dev);
/* Any thread: as if the driver had kicked; for what is left when a kick's work is cut off. */
void vdev_virtio_kick_self(struct vdev_virtio *dev, unsigned queue);
/* Another thread for one queue, or none where somebody else listens to its kick_fd; while it does
 * not run, also from type->start. */
void vdev_virtio_set_thread(struct vdev_virtio *dev, unsigned queue, struct vdev_iothread *thread);

/* NULL when the function is something else. */
struct vdev_virtio *vdev_virtio_of(struct vdev_function *fn);
bool vdev_virtio_has(const struct vdev_virtio *dev, unsigned feature);

/* Any thread, after the change: the driver shall read the configuration again (2.5.1.1: generation
 * and interrupt). What config_read gives changes under the device lock. */
void vdev_virtio_config_changed(struct vdev_virtio *dev);
/* Any thread: the device cannot go on until the driver resets it (2.1.2, DEVICE_NEEDS_RESET). */
void vdev_virtio_needs_reset(struct vdev_virtio *dev);

/* ---- private to virtio*.c ---- */

/* virtio.c. The function's: see struct vdev_function_ops. */
int vdev_virtio_quiesce(struct vdev_function *fn);
void vdev_virtio_resume(struct vdev_function *fn);
const char *vdev_virtio_unsavable(const struct vdev_function *fn);
void vdev_virtio_save(struct vdev_function *fn, struct state *s);
int vdev_virtio_load(struct vdev_function *fn, struct state *s);

/* The registers' side: status and queues; device lock held. */
void vdev_virtio_set_status(struct vdev_virtio *dev, uint8_t value);
void vdev_virtio_enable_queue(struct vdev_virtio *dev, struct vdev_virtio_queue *queue);
void vdev_virtio_reset_queue(struct vdev_virtio *dev, struct vdev_virtio_queue *queue);
void vdev_virtio_reset(struct vdev_virtio *dev);

/* virtio_irq.c. count: vectors of the MSI-X table, whose capability stands at `cap`. */
int vdev_virtio_irq_init(struct vdev_virtio *dev, unsigned cap);
void vdev_virtio_irq_finish(struct vdev_virtio *dev);
/* Follows command register, MSI-X capability and table. */
void vdev_virtio_irq_update(struct vdev_virtio *dev);
void vdev_virtio_irq_table_write(struct vdev_virtio *dev, uint64_t offset, const void *data,
				 unsigned len);
/* A vector of the pending bit array's, 7.7.2.8. */
bool vdev_virtio_irq_pending(const struct vdev_virtio *dev, unsigned vector);
/* Each queue's call_fd, after its vector changed. */
void vdev_virtio_irq_aim(struct vdev_virtio *dev);
void vdev_virtio_irq_config(struct vdev_virtio *dev);
/* What a queue signalled through INTx and the main loop has not seen yet. */
void vdev_virtio_irq_settle(struct vdev_virtio *dev);
void vdev_virtio_irq_save(struct vdev_virtio *dev, struct state *s);
void vdev_virtio_irq_load(struct vdev_virtio *dev, struct state *s);
uint8_t vdev_virtio_irq_take_isr(struct vdev_virtio *dev);
/* As after a reset by the driver; what is pending is forgotten. */
void vdev_virtio_irq_reset(struct vdev_virtio *dev);

/* virtio_pci.c */
extern const struct vdev_function_ops vdev_virtio_function_ops;
int vdev_virtio_pci_init(struct vdev_virtio *dev);
void vdev_virtio_pci_finish(struct vdev_virtio *dev);
/* Lets the engine turn notifications of enabled queues into kicks, where the BAR answers. */
void vdev_virtio_pci_notify_on(struct vdev_virtio *dev);
void vdev_virtio_pci_notify_off(struct vdev_virtio *dev);

#endif
