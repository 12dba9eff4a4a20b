/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * e1000e_mac: the 82574's registers (data sheet, chapter 10).
 *
 * One table says which registers there are and which bits a write changes; those with a life of
 * their own are handled before it. What is not in it reads 0 and takes nothing.
 */
#include "base/util.h"
#include "vdev/e1000e_dev.h"

enum kind {
	PLAIN,	 /* keeps what is written */
	GUARDED, /* so too, but never while the I/O thread is at work with it */
	COUNTER, /* cleared by reading */
	LOW,	 /* of a counter of 64 bits: the upper half's reading clears both */
	HIGH,
};

static const struct row {
	uint16_t first, last;
	enum kind kind;
	uint32_t mask;
} rows[] = {
	{E1000E_CTRL, E1000E_CTRL, GUARDED, ~(E1000E_CTRL_RST | E1000E_CTRL_PHY_RST)},
	{E1000E_CTRL_EXT, E1000E_CTRL_EXT, PLAIN, ~0x80002000u},
	{E1000E_FCAL, E1000E_FCAL, PLAIN, ~0u},
	{E1000E_FCAH, E1000E_FCT, PLAIN, 0xffff},
	{E1000E_VET, E1000E_VET, GUARDED, 0xffff},
	{E1000E_ITR, E1000E_ITR, PLAIN, 0xffff},
	{E1000E_EIAC, E1000E_EIAC, PLAIN, 0x01f00000},
	{E1000E_IAM, E1000E_IAM, PLAIN, ~0u},
	{E1000E_IVAR, E1000E_IVAR, PLAIN, 0x800fffff},
	{E1000E_EITR, E1000E_EITR + 4 * (E1000E_VECTORS - 1), PLAIN, 0xffff},
	{E1000E_RCTL, E1000E_RCTL, GUARDED, ~0u},
	{E1000E_FCTTV, E1000E_FCTTV, PLAIN, 0xffff},
	{E1000E_TXCW, E1000E_TXCW, PLAIN, 0xc000ffff},
	{E1000E_TCTL, E1000E_TCTL, GUARDED, ~0u},
	{E1000E_TCTL_EXT, E1000E_TCTL_EXT, PLAIN, ~0u},
	{E1000E_TIPG, E1000E_TIPG, PLAIN, 0x3fffffff},
	{E1000E_AIFS, E1000E_AIFS, PLAIN, 0xffff},
	{E1000E_LEDCTL, E1000E_LEDCTL, PLAIN, ~0u},
	{E1000E_EXTCNF_CTRL, E1000E_EXTCNF_CTRL, PLAIN, ~0u},
	{E1000E_PBA_SIZES, E1000E_PBA_SIZES, PLAIN, 0x003f003f},
	{E1000E_EEMNGCTL, E1000E_EEMNGCTL, PLAIN, 0},
	{E1000E_FCRTL, E1000E_FCRTL, PLAIN, 0x8000fff8},
	{E1000E_FCRTH, E1000E_FCRTH, PLAIN, 0xfff8},
	{E1000E_PSRCTL, E1000E_PSRCTL, GUARDED, 0x3f3f3f7f},
	{E1000E_RDBAL, E1000E_RDBAL, GUARDED, 0xfffffff0},
	{E1000E_RDBAH, E1000E_RDBAH, GUARDED, ~0u},
	{E1000E_RDLEN, E1000E_RDLEN, GUARDED, 0x000fff80},
	{E1000E_RDH, E1000E_RDH, GUARDED, 0xffff},
	{E1000E_RDT, E1000E_RDT, PLAIN, 0xffff},
	{E1000E_RDTR, E1000E_RDTR, PLAIN, 0xffff},
	{E1000E_RXDCTL, E1000E_RXDCTL, PLAIN, ~0u},
	{E1000E_RADV, E1000E_RADV, PLAIN, 0xffff},
	{E1000E_RSRPD, E1000E_RSRPD, PLAIN, 0xfff},
	{E1000E_RAID, E1000E_RAID, PLAIN, 0xffff},
#define TX_RING(q)                                                             \
	{E1000E_TDBAL + (q), E1000E_TDBAL + (q), GUARDED, 0xfffffff0},         \
		{E1000E_TDBAH + (q), E1000E_TDBAH + (q), GUARDED, ~0u},        \
		{E1000E_TDLEN + (q), E1000E_TDLEN + (q), GUARDED, 0x000fff80}, \
		{E1000E_TDH + (q), E1000E_TDH + (q), GUARDED, 0xffff},         \
		{E1000E_TDT + (q), E1000E_TDT + (q), PLAIN, 0xffff},           \
		{E1000E_TXDCTL + (q), E1000E_TXDCTL + (q), PLAIN, ~0u},        \
	{                                                                      \
		E1000E_TARC + (q), E1000E_TARC + (q), PLAIN, ~0u               \
	}
	TX_RING(0),
	TX_RING(E1000E_TX_QUEUE),
	{E1000E_TIDV, E1000E_TIDV, PLAIN, 0xffff},
	{E1000E_TADV, E1000E_TADV, PLAIN, 0xffff},
	{E1000E_GORCL, E1000E_GORCL, LOW, 0},
	{E1000E_GORCH, E1000E_GORCH, HIGH, 0},
	{E1000E_GOTCL, E1000E_GOTCL, LOW, 0},
	{E1000E_GOTCH, E1000E_GOTCH, HIGH, 0},
	{E1000E_TORL, E1000E_TORL, LOW, 0},
	{E1000E_TORH, E1000E_TORH, HIGH, 0},
	{E1000E_TOTL, E1000E_TOTL, LOW, 0},
	{E1000E_TOTH, E1000E_TOTH, HIGH, 0},
	{E1000E_STATS, E1000E_STATS_LAST, COUNTER, 0},
	{E1000E_RXCSUM, E1000E_RXCSUM, GUARDED, 0xffff},
	{E1000E_RFCTL, E1000E_RFCTL, GUARDED, ~0u},
	{E1000E_MTA, E1000E_MTA_LAST, GUARDED, ~0u},
	{E1000E_VFTA, E1000E_VFTA_LAST, GUARDED, ~0u},
	{E1000E_WUC, E1000E_WUC, PLAIN, ~0u},
	{E1000E_WUFC, E1000E_WUFC, PLAIN, ~0u},
	{E1000E_MRQC, E1000E_MRQC, PLAIN, 0}, /* no hash, one queue */
	{E1000E_MANC, E1000E_MANC, PLAIN, 0}, /* no management */
	{E1000E_GCR, E1000E_GCR, PLAIN, ~0u},
	{E1000E_SWSM, E1000E_SWSM, PLAIN, ~0u},
	{E1000E_GCR2, E1000E_GCR2, PLAIN, ~0u},
	{E1000E_RETA, E1000E_RETA_LAST, PLAIN, ~0u},
	{E1000E_RSSRK, E1000E_RSSRK_LAST, PLAIN, ~0u},
};

#define RAR_LAST  (E1000E_RAL + 8 * E1000E_RAR_COUNT - 4)
#define RAH_MASK  0x8003ffffu
#define PBA_TOTAL 40u /* KiB of packet buffer, for both directions */

/* Address registers alternate: low, high. */
static const struct row rar_low = {E1000E_RAL, RAR_LAST, GUARDED, ~0u};
static const struct row rar_high = {E1000E_RAL, RAR_LAST, GUARDED, RAH_MASK};

static const struct row *find(unsigned at)
{
	if (at >= E1000E_RAL && at <= RAR_LAST)
		return at & 4 ? &rar_high : &rar_low;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		if (at >= rows[i].first && at <= rows[i].last)
			return &rows[i];
	return NULL;
}

uint32_t vdev_e1000e_possible(unsigned at, uint32_t value)
{
	const struct row *row = find(at);

	if (!row)
		return 0;
	return row->kind == PLAIN || row->kind == GUARDED ? value & row->mask : value;
}

/* ---- reset ---- */

static const struct {
	uint16_t at;
	uint32_t value;
} power_on[] = {
	{E1000E_CTRL, E1000E_CTRL_FD | E1000E_CTRL_SLU | E1000E_CTRL_SPD_1000},
	{E1000E_VET, 0x8100},
	{E1000E_LEDCTL, 0x07068302},
	{E1000E_PBA_SIZES, 0x00140014},
	{E1000E_EEMNGCTL, 0x000c0000}, /* configuration of both ports is done */
	{E1000E_RXDCTL, 0x00010000},
	{E1000E_TARC, 0x00000403},
	{E1000E_TARC + E1000E_TX_QUEUE, 0x00000403},
	{E1000E_RXCSUM, E1000E_RXCSUM_IPOFL | E1000E_RXCSUM_TUOFL},
	{E1000E_PSRCTL, 0x00040402},
};

void vdev_e1000e_mac_reset(struct vdev_e1000e *dev)
{
	pthread_mutex_lock(&dev->data);
	for (unsigned i = 0; i < ARRAY_SIZE(dev->reg); i++)
		atomic_store_explicit(&dev->reg[i], 0, memory_order_relaxed);
	for (unsigned i = 0; i < ARRAY_SIZE(power_on); i++)
		e1000e_set(dev, power_on[i].at, power_on[i].value);
	e1000e_set(dev, E1000E_RAL, (uint32_t)dev->nvm[1] << 16 | dev->nvm[0]);
	e1000e_set(dev, E1000E_RAH, E1000E_RAH_VALID | dev->nvm[2]);
	for (unsigned i = 0; i < E1000E_TX_RINGS; i++) {
		dev->tx[i].context = (struct vdev_e1000e_context){0};
		dev->tx[i].begun = false;
		dev->tx[i].len = 0;
	}
	dev->held = 0;
	atomic_store(&dev->starved, false);
	pthread_mutex_unlock(&dev->data);
	vdev_e1000e_irq_reset(dev);
	vdev_e1000e_kick(dev);
}

/* ---- reading ---- */

static uint32_t status(const struct vdev_e1000e *dev)
{
	uint32_t ctrl = e1000e_get(dev, E1000E_CTRL);
	uint32_t value = E1000E_STATUS_FD | E1000E_STATUS_SPEED_1000;

	if (atomic_load(&dev->link) && (ctrl & E1000E_CTRL_SLU))
		value |= E1000E_STATUS_LU;
	if (!(ctrl & E1000E_CTRL_GIO_DISABLE))
		value |= E1000E_STATUS_GIO;
	return value;
}

static uint32_t read_row(struct vdev_e1000e *dev, const struct row *row, unsigned at)
{
	if (row->kind == COUNTER)
		return atomic_exchange(&dev->reg[at / 4], 0);
	if (row->kind != HIGH)
		return e1000e_get(dev, at);
	atomic_store(&dev->reg[at / 4 - 1], 0);
	return atomic_exchange(&dev->reg[at / 4], 0);
}

uint32_t vdev_e1000e_read(struct vdev_e1000e *dev, unsigned at)
{
	const struct row *row;

	switch (at) {
	case E1000E_ICR:
		return vdev_e1000e_irq_take(dev);
	case E1000E_ICS:
		return dev->irq.icr;
	case E1000E_IMS:
		return dev->irq.ims;
	case E1000E_STATUS:
		return status(dev);
	case E1000E_EECD:
	case E1000E_EERD:
	case E1000E_EEWR:
	case E1000E_MDIC:
		return e1000e_get(dev, at) |
		       (at == E1000E_EECD ? E1000E_EECD_PRESENT | E1000E_EECD_AUTO_RD : 0);
	default:
		row = at < E1000E_REGS_SIZE ? find(at) : NULL;
		return row ? read_row(dev, row, at) : 0;
	}
}

/* ---- writing ---- */

static void write_ctrl(struct vdev_e1000e *dev, uint32_t value)
{
	if (value & E1000E_CTRL_RST) {
		vdev_e1000e_mac_reset(dev);
		return;
	}
	e1000e_set(dev, E1000E_CTRL, value & ~E1000E_CTRL_PHY_RST);
	if (!(value & E1000E_CTRL_PHY_RST))
		return;
	vdev_e1000e_phy_reset(dev);
	vdev_e1000e_phy_follow(dev);
}

static void write_eecd(struct vdev_e1000e *dev, uint32_t value)
{
	e1000e_set(dev, E1000E_EECD,
		   value & E1000E_EECD_REQ ? E1000E_EECD_REQ | E1000E_EECD_GNT : 0);
}

static void write_row(struct vdev_e1000e *dev, const struct row *row, unsigned at, uint32_t value)
{
	if (row->kind == PLAIN && row->mask) {
		e1000e_set(dev, at, value & row->mask);
	} else if (row->kind == GUARDED) {
		pthread_mutex_lock(&dev->data);
		e1000e_set(dev, at, value & row->mask);
		pthread_mutex_unlock(&dev->data);
		if (at == E1000E_RCTL || at == E1000E_TCTL)
			vdev_e1000e_kick(dev);
	}
}

/* What the I/O thread and interrupts do not know of. */
static bool write_special(struct vdev_e1000e *dev, unsigned at, uint32_t value)
{
	switch (at) {
	case E1000E_CTRL:
		write_ctrl(dev, value);
		return true;
	case E1000E_MDIC:
		e1000e_set(dev, at, vdev_e1000e_mdic(dev, value));
		return true;
	case E1000E_EECD:
		write_eecd(dev, value);
		return true;
	case E1000E_EERD:
	case E1000E_EEWR:
		e1000e_set(dev, at, vdev_e1000e_nvm_access(dev, value, at == E1000E_EEWR));
		return true;
	case E1000E_PBA_SIZES: /* the other direction gets the rest: 10.2.3.8 */
		value = MIN(value & 63u, PBA_TOTAL);
		e1000e_set(dev, at, (PBA_TOTAL - value) << 16 | value);
		return true;
	default:
		return false;
	}
}

void vdev_e1000e_write(struct vdev_e1000e *dev, unsigned at, uint32_t value)
{
	const struct row *row;

	switch (at) {
	case E1000E_TDT:
	case E1000E_TDT + E1000E_TX_QUEUE:
		e1000e_set(dev, at, value & 0xffff);
		vdev_e1000e_kick(dev);
		return;
	case E1000E_RDT:
		e1000e_set(dev, at, value & 0xffff);
		if (atomic_load(&dev->starved))
			vdev_e1000e_kick(dev);
		return;
	case E1000E_ICR:
		vdev_e1000e_irq_clear(dev, value);
		return;
	case E1000E_ICS:
		vdev_e1000e_irq_cause(dev, value);
		return;
	case E1000E_IMS:
		vdev_e1000e_irq_mask(dev, value, 0);
		return;
	case E1000E_IMC:
		vdev_e1000e_irq_mask(dev, 0, value);
		return;
	default:
		if (write_special(dev, at, value))
			return;
		row = at < E1000E_REGS_SIZE ? find(at) : NULL;
		if (row)
			write_row(dev, row, at, value);
	}
}

/* ---- counters ---- */

static void count_octets(struct vdev_e1000e *dev, unsigned low, uint32_t n)
{
	uint32_t before = atomic_fetch_add_explicit(&dev->reg[low / 4], n, memory_order_relaxed);

	if (before + n < before)
		e1000e_count(dev, low + 4, 1);
}

/* 10.2.7; `good` is GPRC or GPTC. Sizes are those on the wire, with the frame check sequence. */
void vdev_e1000e_tally(struct vdev_e1000e *dev, unsigned good, const uint8_t *frame, size_t len)
{
	static const uint16_t longest[] = {64, 127, 255, 511, 1023};
	bool in = good == E1000E_GPRC;
	uint32_t wire = (uint32_t)MAX(len + 4, 64u);
	unsigned size = 0;

	while (size < ARRAY_SIZE(longest) && wire > longest[size])
		size++;
	e1000e_count(dev, (in ? E1000E_PRC64 : E1000E_PTC64) + 4 * size, 1);
	e1000e_count(dev, good, 1);
	e1000e_count(dev, in ? E1000E_TPR : E1000E_TPT, 1);
	count_octets(dev, in ? E1000E_GORCL : E1000E_GOTCL, wire);
	count_octets(dev, in ? E1000E_TORL : E1000E_TOTL, wire);
	if (!(frame[0] & 1))
		return;
	bool all = frame[0] == 0xff && frame[1] == 0xff && frame[2] == 0xff && frame[3] == 0xff &&
		   frame[4] == 0xff && frame[5] == 0xff;
	e1000e_count(dev, all ? (in ? E1000E_BPRC : E1000E_BPTC) : (in ? E1000E_MPRC : E1000E_MPTC),
		     1);
}
