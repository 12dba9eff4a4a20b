/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * e1000e_dev: the parts of an emulated 82574 (private to vdev/e1000e*.c).
 *
 * Threads. Registers are served with the device lock held, on vCPU threads. Frames are moved by the
 * device's I/O thread, which never takes that lock. Between the two stand:
 *
 *     data       a mutex that the I/O thread holds while it works through a batch, and that a
 *                register takes whose change it must not see half way (rings, filters, resets)
 *     irq.lock   causes and masks, held for a moment; taken after `data`, never before
 *     reg[]      atomic words: tails, heads, counters and filters are read without a lock
 */
#ifndef VDEV_E1000E_DEV_H
#define VDEV_E1000E_DEV_H

#include <linux/virtio_net.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "vdev/e1000e.h"
#include "vdev/e1000e_regs.h"
#include "vdev/iothread.h"
#include "vdev/msi.h"
#include "vdev/msix.h"
#include "vdev/net_ctrl.h"
#include "vdev/net_pair.h"
#include "vdev/vector.h"

#define E1000E_MSI	E1000E_VECTORS /* its place among the vectors */
#define E1000E_TX_RINGS 2u
#define E1000E_BATCH	64u
/* The largest that a segmented packet can be, with its Ethernet header and a VLAN tag. */
#define E1000E_TX_FRAME (65536u + 18u)
#define E1000E_RX_FRAME 16384u /* 10.2.5.1: the largest that LPE lets in */

enum vdev_e1000e_mode { E1000E_INTX, E1000E_MSI_MODE, E1000E_MSIX_MODE };

struct vdev_e1000e_irq {
	pthread_mutex_t lock;
	uint32_t icr, ims;
	uint32_t told; /* causes that stand, and for which a message was sent */
	enum vdev_e1000e_mode mode;
	uint64_t
		next[E1000E_VECTORS + 1]; /* CLOCK_MONOTONIC, ns: no message of the vector before */
	uint64_t due;			  /* when the timer goes off; 0: it does not */
	int timer, line_fd;		  /* line_fd: the main loop looks at the line */
	struct loop_source *timer_source, *line_source;
	bool line;
	atomic_uint_fast64_t sent;
};

/* What a context descriptor set (7.2.11.2), until the next one. */
struct vdev_e1000e_context {
	uint8_t ipcss, ipcso, tucss, tucso, hdrlen;
	uint16_t ipcse, tucse, mss;
	bool tcp, ipv4;
};

struct vdev_e1000e_tx {
	struct vdev_e1000e_context context;
	/* The packet that is being put together. */
	bool begun, bad, segment, vlan, sum_at; /* sum_at: a legacy descriptor wants a checksum */
	uint8_t css, cso;
	uint32_t options; /* E1000E_TXD_IXSM, _TXSM */
	uint16_t tag;
	size_t len;
	uint8_t frame[E1000E_TX_FRAME];
};

struct vdev_e1000e {
	struct vdev_function fn;
	struct hv_vm *vm;
	struct loop *loop;
	char *name;
	struct hv_region *region[2]; /* of BAR 0 and 3 */
	unsigned cap_express;
	struct vdev_msi msi;
	struct vdev_msix msix;
	struct vdev_vector vector[E1000E_VECTORS + 1];

	_Atomic uint32_t reg[E1000E_REGS_SIZE / 4];
	uint16_t phy[E1000E_PHY_PAGES][32];
	uint16_t nvm[E1000E_NVM_WORDS];
	uint8_t mac[6];
	bool cable;
	atomic_bool link, loopback; /* what the PHY's registers and the cable come to */

	pthread_mutex_t data;
	struct vdev_e1000e_irq irq;
	struct vdev_iothread *thread;
	int tap, kick_fd;
	struct loop_source *kick_source, *tap_source; /* the tap's: NULL, not listening */
	bool quiet;
	atomic_bool starved; /* a frame waits for buffers */
	size_t held;	     /* bytes of it, behind the tap's header */
	struct vdev_net_counts received, sent;
	struct vdev_e1000e_tx tx[E1000E_TX_RINGS];
	uint8_t frame[VDEV_NET_HDR + E1000E_RX_FRAME];
};

static inline uint32_t e1000e_get(const struct vdev_e1000e *dev, unsigned at)
{
	return atomic_load_explicit(&dev->reg[at / 4], memory_order_seq_cst);
}

static inline void e1000e_set(struct vdev_e1000e *dev, unsigned at, uint32_t value)
{
	atomic_store_explicit(&dev->reg[at / 4], value, memory_order_seq_cst);
}

static inline void e1000e_count(struct vdev_e1000e *dev, unsigned at, uint32_t n)
{
	atomic_fetch_add_explicit(&dev->reg[at / 4], n, memory_order_relaxed);
}

/* e1000e_mac.c */
/* As after power-on or CTRL.RST: the data lock is taken. */
void vdev_e1000e_mac_reset(struct vdev_e1000e *dev);
uint32_t vdev_e1000e_read(struct vdev_e1000e *dev, unsigned at);
void vdev_e1000e_write(struct vdev_e1000e *dev, unsigned at, uint32_t value);
/* What a register could be after a guest's write: for one from a file. */
uint32_t vdev_e1000e_possible(unsigned at, uint32_t value);
/* Good packets, octets, sizes: one frame in that direction. `gprc`: E1000E_GPRC or E1000E_GPTC. */
void vdev_e1000e_tally(struct vdev_e1000e *dev, unsigned good, const uint8_t *frame, size_t len);

/* e1000e_phy.c: PHY and EEPROM */
void vdev_e1000e_phy_reset(struct vdev_e1000e *dev);
void vdev_e1000e_phy_follow(struct vdev_e1000e *dev); /* cable and registers, to the link */
uint32_t vdev_e1000e_mdic(struct vdev_e1000e *dev, uint32_t command);
void vdev_e1000e_nvm_init(struct vdev_e1000e *dev);
uint32_t vdev_e1000e_nvm_access(struct vdev_e1000e *dev, uint32_t command, bool write);

/* e1000e_irq.c */
int vdev_e1000e_irq_init(struct vdev_e1000e *dev);
void vdev_e1000e_irq_finish(struct vdev_e1000e *dev);
/* On the I/O thread. */
int vdev_e1000e_irq_listen(struct vdev_e1000e *dev);
void vdev_e1000e_irq_silence(struct vdev_e1000e *dev);
/* From the I/O thread. */
void vdev_e1000e_irq_raise(struct vdev_e1000e *dev, uint32_t causes);
/* The rest with the device lock held. */
void vdev_e1000e_irq_cause(struct vdev_e1000e *dev, uint32_t causes); /* ICS, or the MAC itself */
void vdev_e1000e_irq_mask(struct vdev_e1000e *dev, uint32_t set, uint32_t clear);
uint32_t vdev_e1000e_irq_take(struct vdev_e1000e *dev);		      /* reading ICR */
void vdev_e1000e_irq_clear(struct vdev_e1000e *dev, uint32_t causes); /* writing it */
void vdev_e1000e_irq_reset(struct vdev_e1000e *dev);
void vdev_e1000e_irq_update(struct vdev_e1000e *dev); /* follows configuration space */
void vdev_e1000e_irq_table_write(struct vdev_e1000e *dev, uint64_t offset, const void *data,
				 unsigned len);
bool vdev_e1000e_irq_pending(const struct vdev_e1000e *dev, unsigned vector);
void vdev_e1000e_irq_save(struct vdev_e1000e *dev, struct state *s);
void vdev_e1000e_irq_load(struct vdev_e1000e *dev, struct state *s);

/* e1000e_rx.c, on the I/O thread with the data lock held */
void vdev_e1000e_receive(struct vdev_e1000e *dev);
/* A frame that the device sent to itself; true: it went into the ring. */
bool vdev_e1000e_loop(struct vdev_e1000e *dev, const uint8_t *frame, size_t len);
void vdev_e1000e_listen(struct vdev_e1000e *dev, bool on);
bool vdev_e1000e_accepts(const struct vdev_e1000e *dev, const uint8_t *frame, size_t len);

/* e1000e_tx.c, on the I/O thread with the data lock held; true: there is more to do */
bool vdev_e1000e_transmit(struct vdev_e1000e *dev, unsigned ring);
void vdev_e1000e_tx_save(const struct vdev_e1000e *dev, struct state *s);
void vdev_e1000e_tx_load(struct vdev_e1000e *dev, struct state *s);

/* e1000e.c: makes the I/O thread look, any thread */
void vdev_e1000e_kick(struct vdev_e1000e *dev);

#endif
