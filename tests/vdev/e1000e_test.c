/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * e1000e_test: the registers group by group, as Linux's e1000e driver uses them and its self test
 * tries them; both rings in all layouts; and a guest that is none.
 */
#include <errno.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/state.h"
#include "base/util.h"
#include "tests/vdev/guest_e1000e.h"
#include "vdev/net_sum.h"

#define LEGACY	 0u
#define EXTENDED E1000E_RFCTL_EXTENDED
#define PROMISC	 (E1000E_RCTL_UPE | E1000E_RCTL_MPE | E1000E_RCTL_BAM | E1000E_RCTL_SECRC)
#define ONE	 (E1000E_TXD_EOP | E1000E_TXD_RS | 0x02000000u /* IFCS */)

static int set_up(void **state)
{
	struct guest_e1000e *g = calloc(1, sizeof(*g));

	if (!g)
		return -1;
	guest_nic_init(g);
	*state = g;
	return 0;
}

static int tear_down(void **state)
{
	guest_nic_finish(*state);
	free(*state);
	return 0;
}

/* ---- who it is ---- */

static uint16_t nvm(struct guest_e1000e *g, unsigned word)
{
	guest_nic_set(g, E1000E_EERD, word << 2 | E1000E_EERD_START);
	assert_true(guest_nic_get(g, E1000E_EERD) & E1000E_EERD_DONE);
	return (uint16_t)(guest_nic_get(g, E1000E_EERD) >> 16);
}

static void test_identity(void **state)
{
	struct guest_e1000e *g = *state;

	assert_int_equal(guest_nic_config(g, 0, 4), 0x10d38086);
	guest_nic_config_set(g, PCI_COMMAND, 2, 0);
	guest_nic_config_set(g, PCI_BASE_ADDRESS_0, 4, ~0u);
	guest_nic_config_set(g, PCI_BASE_ADDRESS_3, 4, ~0u);
	assert_int_equal(guest_nic_config(g, PCI_BASE_ADDRESS_0, 4), 0xfffe0000);
	assert_int_equal(guest_nic_config(g, PCI_BASE_ADDRESS_3, 4), 0xffffc000);
	assert_int_equal(guest_nic_config(g, g->cap_msix + PCI_MSIX_FLAGS, 2), 4);
	assert_int_equal(guest_nic_config(g, g->cap_msix + PCI_MSIX_TABLE, 4), 3);
}

static void test_eeprom(void **state)
{
	struct guest_e1000e *g = *state;
	uint16_t sum = 0;

	for (unsigned i = 0; i < 64; i++)
		sum = (uint16_t)(sum + nvm(g, i));
	assert_int_equal(sum, 0xbaba);
	assert_int_equal(nvm(g, 0), 0x0002);
	assert_int_equal(nvm(g, 2), 0x5634);
	assert_int_equal(nvm(g, 4000), 0); /* beyond its end */
	assert_int_equal(guest_nic_get(g, E1000E_RAL), 0x12000002 & ~0u);
	assert_int_equal(guest_nic_get(g, E1000E_RAH), 0x80005634);
	guest_nic_set(g, E1000E_EEWR, 7u << 16 | 0x20u << 2 | E1000E_EERD_START);
	assert_int_equal(nvm(g, 0x20), 7);
	guest_nic_set(g, E1000E_EECD, E1000E_EECD_REQ);
	assert_true(guest_nic_get(g, E1000E_EECD) & E1000E_EECD_GNT);
	assert_true(guest_nic_get(g, E1000E_EECD) & E1000E_EECD_AUTO_RD);
}

static void test_phy(void **state)
{
	struct guest_e1000e *g = *state;

	assert_int_equal(guest_nic_phy(g, 2), 0x0141);
	assert_int_equal(guest_nic_phy(g, 3), 0x0cb1);
	assert_int_equal(guest_nic_phy(g, 1) & 0x24, 0x24);
	guest_nic_phy_set(g, 2, 0xffff); /* read-only */
	assert_int_equal(guest_nic_phy(g, 2), 0x0141);
	guest_nic_set(g, E1000E_MDIC, 2u << 21 | 2u << 16 | E1000E_MDIC_READ);
	assert_true(guest_nic_get(g, E1000E_MDIC) & E1000E_MDIC_ERROR); /* nobody there */
	/* pages */
	guest_nic_phy_set(g, 22, 2);
	guest_nic_phy_set(g, 21, 0x1234);
	assert_int_equal(guest_nic_phy(g, 21), 0x1234);
	guest_nic_phy_set(g, 22, 0);
	assert_int_equal(guest_nic_phy(g, 21), 0);
	guest_nic_phy_set(g, 22, 769);
	guest_nic_phy_set(g, 16, 0xffff);
	assert_int_equal(guest_nic_phy(g, 16), 0);
}

static void test_link(void **state)
{
	struct guest_e1000e *g = *state;

	guest_nic_get(g, E1000E_ICR);
	assert_true(guest_nic_get(g, E1000E_STATUS) & E1000E_STATUS_LU);
	guest_nic_phy_set(g, 0, 0x1940); /* power down */
	assert_false(guest_nic_get(g, E1000E_STATUS) & E1000E_STATUS_LU);
	assert_int_equal(guest_nic_phy(g, 1) & 0x24, 0);
	assert_true(guest_nic_get(g, E1000E_ICR) & E1000E_ICR_LSC);
	guest_nic_phy_set(g, 0, 0x1340); /* restart autonegotiation */
	assert_int_equal(guest_nic_phy(g, 0), 0x1140);
	assert_true(guest_nic_get(g, E1000E_STATUS) & E1000E_STATUS_LU);
	assert_true(guest_nic_get(g, E1000E_ICR) & E1000E_ICR_LSC);
	hv_device_lock(g->vm);
	vdev_e1000e_set_link(g->nic, false);
	hv_device_unlock(g->vm);
	assert_false(guest_nic_get(g, E1000E_STATUS) & E1000E_STATUS_LU);
	assert_true(guest_nic_get(g, E1000E_ICR) & E1000E_ICR_LSC);
	hv_device_lock(g->vm);
	vdev_e1000e_set_link(g->nic, true);
	hv_device_unlock(g->vm);
	guest_nic_set(g, E1000E_CTRL, 0); /* not set up */
	assert_false(guest_nic_get(g, E1000E_STATUS) & E1000E_STATUS_LU);
}

/* ---- registers, as ethtool -t tries them ---- */

static void pattern(struct guest_e1000e *g, unsigned at, uint32_t mask, uint32_t write)
{
	static const uint32_t patterns[] = {0x5a5a5a5a, 0xa5a5a5a5, 0, ~0u};

	for (unsigned i = 0; i < ARRAY_SIZE(patterns); i++) {
		guest_nic_set(g, at, patterns[i] & write);
		if (guest_nic_get(g, at) != (patterns[i] & write & mask))
			fail_msg("register %#x: %#x", at, guest_nic_get(g, at));
	}
}

static void test_registers(void **state)
{
	static const struct {
		uint16_t at;
		uint32_t mask, write;
	} rows[] = {
		{E1000E_FCAL, ~0u, ~0u},	  {E1000E_FCAH, 0xffff, ~0u},
		{E1000E_FCT, 0xffff, ~0u},	  {E1000E_VET, 0xffff, ~0u},
		{E1000E_RDTR, 0xffff, ~0u},	  {E1000E_RDBAH, ~0u, ~0u},
		{E1000E_RDLEN, 0xfff80, 0xfffff}, {E1000E_RDH, 0xffff, 0xffff},
		{E1000E_RDT, 0xffff, 0xffff},	  {E1000E_FCRTH, 0xfff8, 0xfff8},
		{E1000E_FCTTV, 0xffff, 0xffff},	  {E1000E_TIPG, 0x3fffffff, 0x3fffffff},
		{E1000E_TDBAH, ~0u, ~0u},	  {E1000E_TDLEN, 0xfff80, 0xfffff},
		{E1000E_RDBAL, 0xfffffff0, ~0u},  {E1000E_TXCW, 0xc000ffff, 0xffff},
		{E1000E_TDBAL, 0xfffffff0, ~0u},  {E1000E_TIDV, 0xffff, 0xffff},
	};
	struct guest_e1000e *g = *state;
	uint32_t status = guest_nic_get(g, E1000E_STATUS);

	guest_nic_set(g, E1000E_STATUS, 0x7ffff033);
	assert_int_equal(guest_nic_get(g, E1000E_STATUS), status);
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		pattern(g, rows[i].at, rows[i].mask, rows[i].write);
	for (unsigned i = 0; i < 15; i++) {
		pattern(g, E1000E_RAL + 8 * i, ~0u, ~0u);
		pattern(g, E1000E_RAH + 8 * i, 0x8003ffff, ~0u);
	}
	for (unsigned i = 0; i < 128; i++)
		pattern(g, E1000E_MTA + 4 * i, ~0u, ~0u);
	guest_nic_set(g, E1000E_RCTL, 0x06dfb3fe);
	assert_int_equal(guest_nic_get(g, E1000E_RCTL), 0x06dfb3fe);
	guest_nic_set(g, E1000E_PBA_SIZES, 36);
	assert_int_equal(guest_nic_get(g, E1000E_PBA_SIZES), 4u << 16 | 36);
	assert_int_equal(guest_nic_get(g, 0x8000), 0); /* nothing there */
	assert_int_equal(fake_hv_read(g->vm, HV_MMIO, g->regs + E1000E_VET, 8) & 0xffff, 0xffff);
	assert_int_equal(fake_hv_read(g->vm, HV_MMIO, g->regs + E1000E_FCAL + 1, 1), 0xff);
}

static void test_reset(void **state)
{
	struct guest_e1000e *g = *state;

	guest_nic_set(g, E1000E_RAL, 1);
	guest_nic_set(g, E1000E_RDBAL, GUEST_NIC_RX);
	guest_nic_set(g, E1000E_CTRL, E1000E_CTRL_GIO_DISABLE);
	assert_false(guest_nic_get(g, E1000E_STATUS) & E1000E_STATUS_GIO);
	guest_nic_set(g, E1000E_IMS, 0xff);
	guest_nic_set(g, E1000E_CTRL, E1000E_CTRL_RST);
	assert_int_equal(guest_nic_get(g, E1000E_RAL), 0x12000002);
	assert_int_equal(guest_nic_get(g, E1000E_RDBAL), 0);
	assert_int_equal(guest_nic_get(g, E1000E_IMS), 0);
	assert_true(guest_nic_get(g, E1000E_STATUS) & E1000E_STATUS_GIO);
	assert_false(guest_nic_get(g, E1000E_CTRL) & E1000E_CTRL_RST);
}

/* ---- interrupts ---- */

static unsigned line_of(struct guest_e1000e *g)
{
	return vdev_host_function_gsi(vdev_e1000e_function(g->nic));
}

static void test_intx(void **state)
{
	struct guest_e1000e *g = *state;
	unsigned gsi = line_of(g);

	guest_nic_get(g, E1000E_ICR);
	for (unsigned i = 0; i < 10; i++) { /* as the driver's self test does */
		uint32_t mask = 1u << i;

		guest_nic_set(g, E1000E_IMC, mask);
		guest_nic_set(g, E1000E_ICS, mask);
		assert_false(g->vm->level[gsi]);
		guest_nic_set(g, E1000E_IMS, mask);
		assert_true(g->vm->level[gsi]);
		assert_true(guest_nic_get(g, E1000E_ICR) & mask);
		assert_false(g->vm->level[gsi]);
		guest_nic_set(g, E1000E_IMC, ~mask & 0x7fff);
		guest_nic_set(g, E1000E_ICS, ~mask & 0x7fff);
		assert_false(g->vm->level[gsi]);
	}
	/* nothing asserted: the read leaves the causes */
	assert_int_not_equal(guest_nic_get(g, E1000E_ICR) & 0x7fff, 0);
	assert_int_not_equal(guest_nic_get(g, E1000E_ICR) & 0x7fff, 0);
	guest_nic_set(g, E1000E_ICR, ~0u); /* written ones clear */
	assert_int_equal(guest_nic_get(g, E1000E_ICR), 0);
	/* the read masks what IAM says */
	guest_nic_set(g, E1000E_CTRL_EXT, E1000E_CTRL_EXT_IAME);
	guest_nic_set(g, E1000E_IAM, ~0u);
	guest_nic_set(g, E1000E_IMS, 0xff);
	guest_nic_set(g, E1000E_ICS, E1000E_ICR_RXT0);
	assert_true(guest_nic_get(g, E1000E_ICR) & E1000E_ICR_ASSERTED);
	assert_int_equal(guest_nic_get(g, E1000E_IMS), 0);
	/* disabled by the command register */
	guest_nic_config_set(g, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_DISABLE);
	guest_nic_set(g, E1000E_IMS, 0xff);
	guest_nic_set(g, E1000E_ICS, E1000E_ICR_RXT0);
	assert_false(g->vm->level[gsi]);
	assert_true(guest_nic_config(g, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
}

static void test_msix(void **state)
{
	struct guest_e1000e *g = *state;

	guest_nic_msix_on(g);
	guest_nic_set(g, E1000E_CTRL_EXT, E1000E_CTRL_EXT_EIAME);
	guest_nic_set(g, E1000E_IAM, ~0u);
	guest_nic_set(g, E1000E_EIAC, E1000E_ICR_RXQ0 | E1000E_ICR_TXQ0);
	guest_nic_get(g, E1000E_ICR);
	guest_nic_set(g, E1000E_IMS,
		      E1000E_ICR_RXQ0 | E1000E_ICR_TXQ0 | E1000E_ICR_OTHER | E1000E_ICR_LSC);
	guest_nic_set(g, E1000E_ICS, E1000E_ICR_RXQ0);
	assert_int_equal(guest_nic_messages(g, 0), 1);
	assert_int_equal(guest_nic_messages(g, 1), 0);
	assert_int_equal(guest_nic_get(g, E1000E_IMS) & E1000E_ICR_RXQ0, 0); /* masked by itself */
	guest_nic_set(g, E1000E_ICS, E1000E_ICR_RXQ0);
	assert_int_equal(guest_nic_messages(g, 0), 0);
	guest_nic_set(g, E1000E_IMS, E1000E_ICR_RXQ0); /* and is made up for */
	assert_int_equal(guest_nic_messages(g, 0), 1);
	guest_nic_set(g, E1000E_ICS, E1000E_ICR_LSC);
	assert_int_equal(guest_nic_messages(g, 2), 1);
	assert_true(guest_nic_get(g, E1000E_ICR) & E1000E_ICR_LSC);
	assert_int_equal(guest_nic_get(g, E1000E_ICR) & E1000E_ICR_CAUSES, 0);
	/* masked in the table: pending */
	fake_hv_write(g->vm, HV_MMIO, g->table + 16 + 12, 1, 4);
	guest_nic_set(g, E1000E_ICS, E1000E_ICR_TXQ0);
	assert_int_equal(fake_hv_read(g->vm, HV_MMIO, g->table + E1000E_PBA, 4), 2);
	fake_hv_write(g->vm, HV_MMIO, g->table + 16 + 12, 0, 4);
	assert_int_equal(guest_nic_messages(g, 1), 1);
	/* a vector that there is not, and one that is not valid */
	guest_nic_set(g, E1000E_IVAR, 0x0000000f);
	guest_nic_set(g, E1000E_IMS, E1000E_ICR_CAUSES);
	guest_nic_set(g, E1000E_ICS, E1000E_ICR_RXQ0 | E1000E_ICR_TXQ0);
	for (unsigned v = 0; v < E1000E_VECTORS; v++)
		assert_int_equal(guest_nic_messages(g, v), 0);
}

static uint64_t late;

static bool came_late(struct guest_e1000e *g)
{
	late += guest_nic_messages(g, 0);
	return late;
}

static void test_moderation(void **state)
{
	struct guest_e1000e *g = *state;

	guest_nic_msix_on(g);
	guest_nic_set(g, E1000E_EITR, 0xffff); /* 16.8 ms */
	guest_nic_set(g, E1000E_EIAC, E1000E_ICR_RXQ0);
	guest_nic_set(g, E1000E_IMS, E1000E_ICR_RXQ0);
	guest_nic_set(g, E1000E_ICS, E1000E_ICR_RXQ0);
	assert_int_equal(guest_nic_messages(g, 0), 1);
	/* However slow this machine is: they become one, or come after the interval. */
	guest_nic_set(g, E1000E_ICS, E1000E_ICR_RXQ0);
	guest_nic_set(g, E1000E_ICS, E1000E_ICR_RXQ0);
	late = 0;
	assert_true(guest_nic_wait(g, came_late));
	guest_nic_set(g, E1000E_EITR, 0); /* off */
	for (unsigned i = 0; i < 3; i++) {
		guest_nic_set(g, E1000E_ICS, E1000E_ICR_RXQ0);
		assert_int_equal(guest_nic_messages(g, 0), 1);
	}
}

static void test_msi(void **state)
{
	struct guest_e1000e *g = *state;

	guest_nic_config_set(g, g->cap_msi + PCI_MSI_ADDRESS_LO, 4, 0xfee00000);
	guest_nic_config_set(g, g->cap_msi + PCI_MSI_DATA_64, 2, 0x45);
	guest_nic_config_set(g, g->cap_msi + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_ENABLE);
	guest_nic_get(g, E1000E_ICR);
	guest_nic_set(g, E1000E_IMS, 0xff);
	guest_nic_set(g, E1000E_ICS, E1000E_ICR_RXT0);
	assert_int_equal(guest_nic_messages(g, 5), 1);
	guest_nic_set(g, E1000E_ICS, E1000E_ICR_RXT0); /* stands already */
	assert_int_equal(guest_nic_messages(g, 5), 0);
	guest_nic_set(g, E1000E_ICS, E1000E_ICR_TXDW); /* another one */
	assert_int_equal(guest_nic_messages(g, 5), 1);
	assert_false(g->vm->level[line_of(g)]);
}

/* ---- sending ---- */

struct sent {
	struct virtio_net_hdr_v1 h;
	uint8_t frame[70000];
};

static size_t take(struct guest_e1000e *g, struct sent *s)
{
	struct pollfd ask = {.fd = g->wire, .events = POLLIN};
	uint8_t raw[sizeof(*s)];

	assert_int_equal(poll(&ask, 1, 2000), 1);
	ssize_t n = recv(g->wire, raw, sizeof(raw), 0);
	assert_true(n > (ssize_t)sizeof(s->h));
	memcpy(&s->h, raw, sizeof(s->h));
	memcpy(s->frame, raw + sizeof(s->h), (size_t)n - sizeof(s->h));
	return (size_t)n - sizeof(s->h);
}

static bool sent_all(struct guest_e1000e *g)
{
	return guest_nic_get(g, E1000E_TDH) == g->tail;
}

/* An Ethernet, IPv4 and TCP header, and bytes behind it. */
static size_t put_tcp(uint8_t *at, size_t payload)
{
	static const uint8_t head[] = {
		2, 0,  0,    0, 0,  9, 2, 0, 0,	 0x12, 0x34, 0x56, 8,  0, 0x45, 0, 0,	 0,
		0, 1,  0x40, 0, 64, 6, 0, 0, 10, 0,    0,    1,	   10, 0, 0,	2, 0x12, 0x34,
		0, 80, 0,    0, 0,  1, 0, 0, 0,	 1,    0x50, 0x10, 1,  0, 0,	0, 0,	 0};
	size_t len = sizeof(head) + payload;

	memcpy(at, head, sizeof(head));
	at[16] = (uint8_t)((len - 14) >> 8);
	at[17] = (uint8_t)(len - 14);
	for (size_t i = sizeof(head); i < len; i++)
		at[i] = (uint8_t)i;
	return len;
}

static void put_sums(uint8_t *frame, size_t len)
{
	uint16_t sum = (uint16_t)~vdev_net_sum_fold(vdev_net_sum(frame + 14, 20, 0));

	frame[24] = (uint8_t)(sum >> 8);
	frame[25] = (uint8_t)sum;
	sum = (uint16_t)~vdev_net_sum_fold(
		vdev_net_sum(frame + 34, len - 34, vdev_net_sum(frame + 26, 8, 6 + len - 34)));
	frame[50] = (uint8_t)(sum >> 8);
	frame[51] = (uint8_t)sum;
}

static void test_send_legacy(void **state)
{
	struct guest_e1000e *g = *state;
	struct sent *s = calloc(1, sizeof(*s));
	uint8_t *data = guest_nic_at(g, GUEST_NIC_DATA);
	size_t len = put_tcp(data, 100);

	guest_nic_up(g, PROMISC, LEGACY);
	guest_nic_send(g, GUEST_NIC_DATA, (uint32_t)len | ONE, 0);
	assert_int_equal(take(g, s), len);
	assert_memory_equal(s->frame, data, len);
	assert_int_equal(s->h.flags, 0);
	assert_true(guest_nic_wait(g, sent_all));
	assert_true(*guest_nic_at(g, GUEST_NIC_TX + 12) & 1); /* done */
	assert_true(guest_nic_get(g, E1000E_ICR) & E1000E_ICR_TXDW);
	/* of two parts, with a checksum over all from byte 34 on, at 50 */
	guest_nic_send(g, GUEST_NIC_DATA, 60, 0);
	guest_nic_send(g, GUEST_NIC_DATA + 60,
		       (uint32_t)(len - 60) | ONE | E1000E_TXD_IC | 50u << 16, 34u << 8);
	assert_int_equal(take(g, s), len);
	uint16_t sum = vdev_net_sum_fold(vdev_net_sum(s->frame + 34, len - 34, 0));
	assert_int_equal(sum, 0xffff);
	/* short ones are padded when that is asked for */
	guest_nic_set(g, E1000E_TCTL, E1000E_TCTL_EN | E1000E_TCTL_PSP);
	guest_nic_send(g, GUEST_NIC_DATA, 20 | ONE, 0);
	assert_int_equal(take(g, s), 60);
	/* a tag */
	guest_nic_set(g, E1000E_CTRL, E1000E_CTRL_SLU | E1000E_CTRL_VME);
	guest_nic_send(g, GUEST_NIC_DATA, (uint32_t)len | ONE | E1000E_TXD_VLE, 0x0123u << 16);
	assert_int_equal(take(g, s), len + 4);
	assert_memory_equal(s->frame + 12, "\x81\x00\x01\x23", 4);
	assert_memory_equal(s->frame + 16, data + 12, len - 12);
	assert_true(guest_nic_wait(g, sent_all));
	assert_int_equal(guest_nic_get(g, E1000E_GPTC), 4);
	assert_int_equal(guest_nic_get(g, E1000E_GPTC), 0); /* read, and so cleared */
	free(s);
}

static void context(struct guest_e1000e *g, uint32_t tucmd, unsigned hdrlen, unsigned mss)
{
	uint64_t low = 14 | 24u << 8 | 33u << 16, high = 34 | 50u << 8;

	guest_nic_send(g, low | high << 32, E1000E_TXD_EXTENDED | tucmd,
		       (uint32_t)hdrlen << 8 | (uint32_t)mss << 16);
}

static void test_send_checksum(void **state)
{
	struct guest_e1000e *g = *state;
	struct sent *s = calloc(1, sizeof(*s));
	size_t len = put_tcp(guest_nic_at(g, GUEST_NIC_DATA), 200);

	guest_nic_up(g, PROMISC, LEGACY);
	context(g, E1000E_TUCMD_TCP | E1000E_TUCMD_IPV4, 0, 0);
	guest_nic_send(g, GUEST_NIC_DATA,
		       (uint32_t)len | ONE | E1000E_TXD_EXTENDED | E1000E_TXD_DATA << 20,
		       E1000E_TXD_IXSM | E1000E_TXD_TXSM);
	assert_int_equal(take(g, s), len);
	assert_int_equal(s->h.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(s->h.csum_start, 34);
	assert_int_equal(s->h.csum_offset, 16);
	assert_int_equal(s->h.gso_type, 0);
	assert_int_equal(vdev_net_sum_fold(vdev_net_sum(s->frame + 14, 20, 0)), 0xffff);
	free(s);
}

static void test_send_segments(void **state)
{
	struct guest_e1000e *g = *state;
	struct sent *s = calloc(1, sizeof(*s));
	uint8_t *data = guest_nic_at(g, GUEST_NIC_DATA);
	size_t len = put_tcp(data, 5000);
	uint32_t kind = E1000E_TXD_EXTENDED | E1000E_TXD_DATA << 20 | E1000E_TXD_TSE;

	data[16] = data[17] = 0; /* as a driver does: no lengths, 7.3.6.2 */
	uint16_t pseudo = vdev_net_sum_fold(vdev_net_sum(data + 26, 8, 6));
	data[50] = (uint8_t)(pseudo >> 8);
	data[51] = (uint8_t)pseudo;
	guest_nic_up(g, PROMISC, LEGACY);
	context(g, E1000E_TUCMD_TCP | E1000E_TUCMD_IPV4 | E1000E_TXD_TSE, 54, 1448);
	guest_nic_send(g, GUEST_NIC_DATA, 54 | kind, E1000E_TXD_IXSM | E1000E_TXD_TXSM);
	guest_nic_send(g, GUEST_NIC_DATA + 54, (uint32_t)(len - 54) | kind | ONE, 0);
	assert_int_equal(take(g, s), len);
	assert_int_equal(s->h.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	assert_int_equal(s->h.gso_size, 1448);
	assert_int_equal(s->h.hdr_len, 54);
	assert_int_equal(s->h.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(s->frame[16] << 8 | s->frame[17], len - 14);
	assert_int_equal(vdev_net_sum_fold(vdev_net_sum(s->frame + 14, 20, 0)), 0xffff);
	assert_int_equal(s->frame[50] << 8 | s->frame[51],
			 vdev_net_sum_fold((uint64_t)pseudo + len - 34));
	free(s);
}

/* What makes no sense is dropped and counted, and the ring goes on. */
static void test_send_nonsense(void **state)
{
	struct guest_e1000e *g = *state;
	uint32_t data = E1000E_TXD_EXTENDED | E1000E_TXD_DATA << 20;
	struct sent *s = calloc(1, sizeof(*s));
	struct vdev_net_stat stat;

	guest_nic_up(g, PROMISC, LEGACY);
	guest_nic_send(g, 0xdead00000000, 100 | ONE, 0);	    /* no memory there */
	guest_nic_send(g, GUEST_NIC_DATA, 5 | ONE, 0);		    /* no frame */
	guest_nic_send(g, GUEST_NIC_DATA, 0xfffff | data | ONE, 0); /* too long */
	guest_nic_send(g, GUEST_NIC_DATA, 100 | ONE | E1000E_TXD_IC | 250u << 16, 0);
	guest_nic_send(g, GUEST_NIC_DATA, 100 | data | ONE | E1000E_TXD_TSE, 0); /* no context */
	guest_nic_send(g, GUEST_NIC_DATA, 100 | ONE, 0);
	assert_int_equal(take(g, s), 100);
	assert_true(guest_nic_wait(g, sent_all));
	vdev_e1000e_fill_stat(g->nic, &stat);
	assert_int_equal(stat.sent.drops, 5);
	assert_int_equal(stat.sent.packets, 1);
	/* tails and heads beyond the ring, rings beyond memory: nothing moves, nothing spins */
	guest_nic_set(g, E1000E_TDT, 0xffff);
	guest_nic_set(g, E1000E_TDH, 0xfff0);
	guest_nic_set(g, E1000E_TDBAH, 0xffffffff);
	guest_nic_set(g, E1000E_TDH, 0);
	guest_nic_set(g, E1000E_TDT, 3);
	guest_nic_set(g, E1000E_CTRL, E1000E_CTRL_RST);
	assert_int_equal(guest_nic_get(g, E1000E_TDH), 0);
	free(s);
}

/* ---- receiving ---- */

static void from_wire(struct guest_e1000e *g, const uint8_t *frame, size_t len)
{
	uint8_t raw[20000] = {0};

	memcpy(raw + 12, frame, len);
	assert_int_equal(send(g->wire, raw, len + 12, 0), len + 12);
}

static uint32_t awaited;

static bool head_there(struct guest_e1000e *g)
{
	return guest_nic_get(g, E1000E_RDH) == awaited;
}

static void await_head(struct guest_e1000e *g, uint32_t head)
{
	awaited = head;
	assert_true(guest_nic_wait(g, head_there));
}

static uint32_t word_of(struct guest_e1000e *g, unsigned desc, unsigned word)
{
	uint32_t value;

	memcpy(&value, guest_nic_at(g, GUEST_NIC_RX + 16 * desc + 4 * word), 4);
	return value;
}

static void test_receive_extended(void **state)
{
	struct guest_e1000e *g = *state;
	uint8_t frame[2000];
	size_t len = put_tcp(frame, 300);

	put_sums(frame, len);
	guest_nic_up(g, PROMISC, EXTENDED);
	from_wire(g, frame, len);
	await_head(g, 1);
	assert_int_equal(word_of(g, 0, 3), len);
	assert_int_equal(word_of(g, 0, 2),
			 E1000E_RXD_DD | E1000E_RXD_EOP | E1000E_RXD_IPCS | E1000E_RXD_TCPCS);
	assert_memory_equal(guest_nic_at(g, GUEST_NIC_BUFFER), frame, len);
	assert_int_equal(guest_nic_get(g, E1000E_GPRC), 1);
	assert_int_equal(guest_nic_get(g, E1000E_GORCL), len + 4);
	frame[60] ^= 1; /* what TCP's checksum covers */
	from_wire(g, frame, len);
	await_head(g, 2);
	assert_true(word_of(g, 1, 2) & E1000E_RXD_TCPE);
	frame[22]++; /* and IP's */
	from_wire(g, frame, len);
	await_head(g, 3);
	assert_true(word_of(g, 2, 2) & E1000E_RXD_IPE);
	frame[12] = 0x88; /* no IP at all */
	from_wire(g, frame, len);
	await_head(g, 4);
	assert_int_equal(word_of(g, 3, 2), E1000E_RXD_DD | E1000E_RXD_EOP | E1000E_RXD_IXSM);
	from_wire(g, frame, 20); /* padded */
	await_head(g, 5);
	assert_int_equal(word_of(g, 4, 3), 60);
}

static void test_receive_legacy(void **state)
{
	struct guest_e1000e *g = *state;
	uint8_t frame[4000];
	size_t len = put_tcp(frame, 300);
	uint64_t addr = GUEST_NIC_BUFFER;

	guest_nic_up(g, (PROMISC & ~E1000E_RCTL_SECRC) | 3u << 16, LEGACY); /* of 256 bytes */
	from_wire(g, frame, len);
	await_head(g, 2);
	assert_memory_equal(guest_nic_at(g, GUEST_NIC_RX), &addr, 8);
	assert_int_equal(word_of(g, 0, 2), 256);
	assert_int_equal(word_of(g, 0, 3) & 0xff, E1000E_RXD_DD);
	assert_int_equal(word_of(g, 1, 2), len + 4 - 256);
	assert_int_equal(word_of(g, 1, 3) & 3, E1000E_RXD_DD | E1000E_RXD_EOP);
	uint32_t fcs = vdev_net_fcs(frame, len);
	assert_memory_equal(guest_nic_at(g, GUEST_NIC_BUFFER + 0x800 + len - 256), &fcs, 4);
	assert_int_equal(vdev_net_fcs((const uint8_t *)"123456789", 9), 0xcbf43926);
	/* it would never fit into the whole ring */
	guest_nic_set(g, E1000E_RCTL, PROMISC | E1000E_RCTL_EN | E1000E_RCTL_LPE | 3u << 16);
	from_wire(g, frame, 3000);
	from_wire(g, frame, 100);
	await_head(g, 3);
	assert_int_equal(word_of(g, 2, 2), 100);
}

static void test_receive_split(void **state)
{
	struct guest_e1000e *g = *state;
	uint8_t frame[3000];
	size_t len = put_tcp(frame, 2400);

	guest_nic_set(g, E1000E_PSRCTL, 0x01010102); /* 256, 1024, 1024, 1024 */
	guest_nic_up(g, PROMISC | E1000E_RCTL_SPLIT | E1000E_RCTL_LPE, EXTENDED);
	from_wire(g, frame, len);
	await_head(g, 2);
	assert_int_equal(word_of(g, 0, 3), 256);
	assert_int_equal(word_of(g, 0, 4) >> 16, 1024);
	assert_int_equal(word_of(g, 0, 5), (len - 256 - 2048) << 16 | 1024);
	assert_int_equal(word_of(g, 0, 2) & 3, E1000E_RXD_DD | E1000E_RXD_EOP);
	assert_memory_equal(guest_nic_at(g, GUEST_NIC_BUFFER + 0x400), frame + 256, 1024);
}

static void test_receive_waits(void **state)
{
	struct guest_e1000e *g = *state;
	uint8_t frame[200];
	size_t len = put_tcp(frame, 20);

	guest_nic_up(g, PROMISC, EXTENDED);
	for (unsigned i = 0; i < GUEST_NIC_RING + 1; i++) {
		frame[60] = (uint8_t)i;
		from_wire(g, frame, len);
	}
	await_head(g, GUEST_NIC_RING - 1); /* one stays the driver's */
	uint64_t addr = GUEST_NIC_BUFFER;
	memcpy(guest_nic_at(g, GUEST_NIC_RX), &addr, 8); /* the report stood there */
	guest_nic_set(g, E1000E_RDT, 1);
	await_head(g, 1);
	assert_int_equal(guest_nic_at(g, GUEST_NIC_BUFFER)[60], GUEST_NIC_RING);
	struct vdev_net_stat stat;
	vdev_e1000e_fill_stat(g->nic, &stat);
	assert_int_equal(stat.received.packets, GUEST_NIC_RING + 1);
	assert_int_equal(stat.received.drops, 0);
}

static void expect(struct guest_e1000e *g, const uint8_t *address, size_t len, bool passes)
{
	uint32_t head = guest_nic_get(g, E1000E_RDH);
	uint8_t frame[2000] = {0};

	/* One that is sure to pass comes behind it, so that there is something to wait for. */
	memcpy(frame, address, 6);
	from_wire(g, frame, len);
	memcpy(frame, guest_nic_mac, 6);
	from_wire(g, frame, 77);
	head = (head + (passes ? 2 : 1)) % GUEST_NIC_RING;
	await_head(g, head);
	assert_int_equal(word_of(g, (head + GUEST_NIC_RING - 1) % GUEST_NIC_RING, 3), 77);
	guest_nic_set(g, E1000E_RDT, (head + GUEST_NIC_RING - 1) % GUEST_NIC_RING);
}

static void test_filters(void **state)
{
	static const uint8_t other[6] = {2, 9, 9, 9, 9, 9}, all[6] = {255, 255, 255, 255, 255, 255};
	static const uint8_t many[6] = {1, 0, 0x5e, 0, 0xab, 0xcd};
	struct guest_e1000e *g = *state;
	unsigned hash = 0xcdab >> 4 & 0xfff;

	guest_nic_up(g, E1000E_RCTL_SECRC, EXTENDED);
	expect(g, other, 100, false);
	expect(g, all, 100, false);
	expect(g, many, 100, false);
	expect(g, guest_nic_mac, 1600, false);
	guest_nic_set(g, E1000E_MTA + hash / 32 * 4, 1u << hash % 32);
	expect(g, many, 100, true);
	guest_nic_set(g, E1000E_RAL + 8, 0x09090902);
	guest_nic_set(g, E1000E_RAH + 8, 0x80000909);
	expect(g, other, 100, true);
	guest_nic_set(g, E1000E_RAH + 8, 0x00000909);
	expect(g, other, 100, false);
	guest_nic_set(g, E1000E_RCTL, E1000E_RCTL_SECRC | E1000E_RCTL_EN | E1000E_RCTL_BAM);
	expect(g, all, 100, true);
	guest_nic_set(g, E1000E_RCTL, E1000E_RCTL_SECRC | E1000E_RCTL_EN | E1000E_RCTL_UPE);
	expect(g, other, 100, true);
	guest_nic_set(g, E1000E_RCTL, E1000E_RCTL_SECRC | E1000E_RCTL_EN | E1000E_RCTL_LPE);
	expect(g, guest_nic_mac, 1600, true);
}

static void test_vlan(void **state)
{
	struct guest_e1000e *g = *state;
	uint8_t frame[100] = {0};

	memcpy(frame, guest_nic_mac, 6);
	static const uint8_t tag[] = {0x81, 0x00, 0x20, 0x21, 0x08, 0x00};
	memcpy(frame + 12, tag, sizeof(tag));
	frame[20] = 7;
	guest_nic_up(g, PROMISC, EXTENDED);
	guest_nic_set(g, E1000E_CTRL, E1000E_CTRL_SLU | E1000E_CTRL_VME);
	from_wire(g, frame, 100);
	await_head(g, 1);
	assert_int_equal(word_of(g, 0, 3), 0x2021u << 16 | 96);
	assert_true(word_of(g, 0, 2) & E1000E_RXD_VP);
	assert_int_equal(guest_nic_at(g, GUEST_NIC_BUFFER)[12], 8);
	assert_int_equal(guest_nic_at(g, GUEST_NIC_BUFFER)[16], 7);
	/* filtered: of VLANs 0x21 and 0x22 only the second is wanted */
	guest_nic_set(g, E1000E_VFTA + 4, 1u << 2);
	guest_nic_set(g, E1000E_RCTL, PROMISC | E1000E_RCTL_EN | E1000E_RCTL_VFE);
	from_wire(g, frame, 100);
	frame[15] = 0x22;
	from_wire(g, frame, 90);
	await_head(g, 2);
	assert_int_equal(word_of(g, 1, 3), 0x2022u << 16 | 86);
}

static void test_loopback(void **state)
{
	struct guest_e1000e *g = *state;
	uint8_t *data = guest_nic_at(g, GUEST_NIC_DATA);

	memset(data, 0xff, 1024);
	guest_nic_up(g, PROMISC, EXTENDED);
	guest_nic_phy_set(g, 0, 0x4140);
	for (unsigned i = 0; i < 5; i++)
		guest_nic_send(g, GUEST_NIC_DATA, 1024 | ONE, 0);
	await_head(g, 5);
	assert_memory_equal(guest_nic_at(g, GUEST_NIC_BUFFER + 4 * 0x800), data, 1024);
	struct pollfd ask = {.fd = g->wire, .events = POLLIN};
	assert_int_equal(poll(&ask, 1, 0), 0); /* nothing went out */
}

static void test_no_link(void **state)
{
	struct guest_e1000e *g = *state;
	struct vdev_net_stat stat;

	guest_nic_up(g, PROMISC, EXTENDED);
	hv_device_lock(g->vm);
	vdev_e1000e_set_link(g->nic, false);
	hv_device_unlock(g->vm);
	guest_nic_send(g, GUEST_NIC_DATA, 100 | ONE, 0);
	assert_true(guest_nic_wait(g, sent_all));
	vdev_e1000e_fill_stat(g->nic, &stat);
	assert_int_equal(stat.sent.drops, 1);
	assert_false(stat.up);
}

/* ---- standing still ---- */

static void test_state(void **state)
{
	struct guest_e1000e *g = *state, other;
	struct vdev_function *fn = vdev_e1000e_function(g->nic), *to;
	struct state *s = state_new();
	struct sent *out = calloc(1, sizeof(*out));

	guest_nic_up(g, PROMISC, EXTENDED);
	guest_nic_msix_on(g);
	context(g, E1000E_TUCMD_TCP | E1000E_TUCMD_IPV4, 0, 0);
	put_tcp(guest_nic_at(g, GUEST_NIC_DATA), 100);
	guest_nic_send(g, GUEST_NIC_DATA, 60 | E1000E_TXD_EXTENDED | E1000E_TXD_DATA << 20,
		       E1000E_TXD_TXSM); /* and it is not over */
	assert_true(guest_nic_wait(g, sent_all));
	guest_nic_phy_set(g, 22, 2);
	hv_device_lock(g->vm);
	assert_int_equal(fn->ops->quiesce(fn), 0);
	fn->ops->save(fn, s);
	assert_int_equal(state_error(s), 0);
	hv_device_unlock(g->vm);
	guest_nic_init(&other);
	to = vdev_e1000e_function(other.nic);
	hv_device_lock(other.vm);
	to->ops->quiesce(to);
	to->config = fn->config; /* as pci_state.c does */
	assert_int_equal(to->ops->load(to, s), 0);
	to->ops->resume(to);
	hv_device_unlock(other.vm);
	assert_int_equal(guest_nic_get(&other, E1000E_RDBAL), GUEST_NIC_RX);
	assert_int_equal(guest_nic_phy(&other, 22), 2);
	memcpy(guest_nic_at(&other, GUEST_NIC_DATA), guest_nic_at(g, GUEST_NIC_DATA), 200);
	other.tail = g->tail;
	guest_nic_send(&other, GUEST_NIC_DATA + 60,
		       94 | ONE | E1000E_TXD_EXTENDED | E1000E_TXD_DATA << 20, 0);
	assert_int_equal(take(&other, out), 154);
	assert_int_equal(out->h.csum_start, 34);
	guest_nic_finish(&other);
	hv_device_lock(g->vm);
	fn->ops->resume(fn);
	hv_device_unlock(g->vm);
	state_free(s);
	free(out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_identity),
		TEST(test_eeprom),
		TEST(test_phy),
		TEST(test_link),
		TEST(test_registers),
		TEST(test_reset),
		TEST(test_intx),
		TEST(test_msix),
		TEST(test_moderation),
		TEST(test_msi),
		TEST(test_send_legacy),
		TEST(test_send_checksum),
		TEST(test_send_segments),
		TEST(test_send_nonsense),
		TEST(test_receive_extended),
		TEST(test_receive_legacy),
		TEST(test_receive_split),
		TEST(test_receive_waits),
		TEST(test_filters),
		TEST(test_vlan),
		TEST(test_loopback),
		TEST(test_no_link),
		TEST(test_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
