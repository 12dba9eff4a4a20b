/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * e1000e_phy: the 82574's PHY behind the management interface (MDIC), and its EEPROM.
 *
 * The cable is a virtual one, so that autonegotiation is over as soon as it begins, always with
 * 1000 Mbit/s in both directions. Registers 16 to 31 come in pages (register 22 says which).
 */
#include <string.h>

#include "vdev/e1000e_dev.h"

/* ---- registers ---- */

static const struct {
	uint8_t reg;
	uint16_t value;
} power_on[] = {
	{E1000E_PHY_BMCR, 0x1140}, /* autonegotiation, full duplex, 1000 Mbit/s */
	{E1000E_PHY_ID1, 0x0141},
	{E1000E_PHY_ID2, 0x0cb1},
	{E1000E_PHY_ANAR, 0x0de1},
	{7, 0x2001},
	{E1000E_PHY_CTRL1000, 0x0e00},
	{E1000E_PHY_ESTATUS, 0x3000},
	{16, 0x0068}, /* automatic crossover */
	{20, 0x0d60},
};

#define BMSR_ALWAYS   0x7949u /* what it is able to do */
#define BMSR_LINK     0x0024u /* link, autonegotiation complete */
#define LPA_PARTNER   0xcde1u
#define ANER_PARTNER  0x000du
#define STAT1000_GOOD 0x7c00u /* both receivers, partner able to do 1000 Mbit/s */
#define SPEC_LINK     0xac04u /* 1000 Mbit/s, full duplex, resolved, link */

void vdev_e1000e_phy_reset(struct vdev_e1000e *dev)
{
	memset(dev->phy, 0, sizeof(dev->phy));
	for (unsigned i = 0; i < sizeof(power_on) / sizeof(power_on[0]); i++)
		dev->phy[0][power_on[i].reg] = power_on[i].value;
}

void vdev_e1000e_phy_follow(struct vdev_e1000e *dev)
{
	uint16_t bmcr = dev->phy[0][E1000E_PHY_BMCR];
	bool loopback = bmcr & E1000E_BMCR_LOOPBACK;
	bool link = !(bmcr & E1000E_BMCR_POWER_DOWN) && (dev->cable || loopback);

	atomic_store(&dev->loopback, loopback);
	if (atomic_exchange(&dev->link, link) == link)
		return;
	vdev_e1000e_irq_cause(dev, E1000E_ICR_LSC);
	vdev_e1000e_kick(dev);
}

static uint16_t *phy_cell(struct vdev_e1000e *dev, unsigned reg)
{
	unsigned page = dev->phy[0][E1000E_PHY_PAGE];

	if (reg < 16 || reg == E1000E_PHY_PAGE)
		page = 0;
	return page < E1000E_PHY_PAGES ? &dev->phy[page][reg] : NULL;
}

static uint16_t phy_read(struct vdev_e1000e *dev, unsigned reg)
{
	uint16_t *cell = phy_cell(dev, reg);
	bool link = atomic_load(&dev->link);

	if (cell == &dev->phy[0][reg]) {
		switch (reg) {
		case E1000E_PHY_BMSR:
			return (uint16_t)(BMSR_ALWAYS | (link ? BMSR_LINK : 0));
		case E1000E_PHY_LPA:
			return link ? LPA_PARTNER : 0;
		case E1000E_PHY_ANER:
			return link ? ANER_PARTNER : 0;
		case E1000E_PHY_STAT1000:
			return link ? STAT1000_GOOD : 0;
		case E1000E_PHY_SPEC:
			return link ? SPEC_LINK : 0;
		default:
			break;
		}
	}
	return cell ? *cell : 0;
}

static void write_bmcr(struct vdev_e1000e *dev, uint16_t value)
{
	if (value & E1000E_BMCR_RESET) {
		uint16_t page = dev->phy[0][E1000E_PHY_PAGE];

		/* A software reset keeps what the management has set: 9.4, "retain". */
		dev->phy[0][E1000E_PHY_BMCR] =
			(uint16_t)(value & ~(E1000E_BMCR_RESET | E1000E_BMCR_RESTART));
		dev->phy[0][E1000E_PHY_PAGE] = page;
	} else {
		dev->phy[0][E1000E_PHY_BMCR] = (uint16_t)(value & ~E1000E_BMCR_RESTART);
	}
	vdev_e1000e_phy_follow(dev);
	if ((value & (E1000E_BMCR_RESTART | E1000E_BMCR_RESET)) && atomic_load(&dev->link))
		vdev_e1000e_irq_cause(dev, E1000E_ICR_LSC);
}

static bool phy_read_only(unsigned reg)
{
	return reg == E1000E_PHY_BMSR || reg == E1000E_PHY_ID1 || reg == E1000E_PHY_ID2 ||
	       reg == E1000E_PHY_LPA || reg == E1000E_PHY_ANER || reg == E1000E_PHY_STAT1000 ||
	       reg == E1000E_PHY_ESTATUS;
}

static void phy_write(struct vdev_e1000e *dev, unsigned reg, uint16_t value)
{
	uint16_t *cell = phy_cell(dev, reg);

	if (reg == E1000E_PHY_BMCR)
		write_bmcr(dev, value);
	else if (cell && !phy_read_only(reg))
		*cell = value;
}

/* 10.2.2.7 */
uint32_t vdev_e1000e_mdic(struct vdev_e1000e *dev, uint32_t command)
{
	unsigned reg = command >> 16 & 31, address = command >> 21 & 31;
	uint32_t result = (command & ~E1000E_MDIC_ERROR) | E1000E_MDIC_READY;

	if (address != E1000E_PHY_ADDRESS)
		result |= E1000E_MDIC_ERROR;
	else if (command & E1000E_MDIC_READ)
		result = (result & ~E1000E_MDIC_DATA) | phy_read(dev, reg);
	else if (command & E1000E_MDIC_WRITE)
		phy_write(dev, reg, (uint16_t)command);
	if (command & E1000E_MDIC_INT)
		vdev_e1000e_irq_cause(dev, E1000E_ICR_MDAC);
	return result;
}

/* ---- EEPROM (6.1) ---- */

void vdev_e1000e_nvm_init(struct vdev_e1000e *dev)
{
	static const struct {
		uint8_t word;
		uint16_t value;
	} set[] = {
		{0x03, 0x0420}, {0x05, 0x2010},	       {0x06, 0xffff},	      {0x07, 0xffff},
		{0x0b, 0x0000}, {0x0c, E1000E_VENDOR}, {0x0d, E1000E_DEVICE}, {0x0e, E1000E_VENDOR},
		{0x0f, 0x0000}, {0x10, 0x0050},	       {0x17, 0x0000},	      {0x23, 0x8000},
	};
	uint16_t sum = 0;

	memset(dev->nvm, 0, sizeof(dev->nvm));
	for (unsigned i = 0; i < 3; i++)
		dev->nvm[i] = (uint16_t)(dev->mac[2 * i] | dev->mac[2 * i + 1] << 8);
	for (unsigned i = 0; i < sizeof(set) / sizeof(set[0]); i++)
		dev->nvm[set[i].word] = set[i].value;
	for (unsigned i = 0; i < E1000E_NVM_CHECKSUM; i++)
		sum = (uint16_t)(sum + dev->nvm[i]);
	dev->nvm[E1000E_NVM_CHECKSUM] = (uint16_t)(E1000E_NVM_SUM - sum);
}

/* EERD and EEWR, 10.2.2.5 and 10.2.2.6: word address from bit 2 on, data from bit 16 on. */
uint32_t vdev_e1000e_nvm_access(struct vdev_e1000e *dev, uint32_t command, bool write)
{
	unsigned word = command >> 2 & 0x3fff;
	uint32_t result = (command & 0xfffcu) | E1000E_EERD_DONE;

	if (!(command & E1000E_EERD_START))
		return command;
	if (word >= E1000E_NVM_WORDS)
		return result;
	if (write)
		dev->nvm[word] = (uint16_t)(command >> 16);
	return result | (uint32_t)dev->nvm[word] << 16;
}
