/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * e1000e_regs: registers, descriptors and bits of the Intel 82574 (its data sheet, revision 3.4:
 * chapter 10 registers, chapter 7 descriptors, chapter 6 EEPROM).
 */
#ifndef VDEV_E1000E_REGS_H
#define VDEV_E1000E_REGS_H

#include <stdint.h>

#define E1000E_VENDOR 0x8086u
#define E1000E_DEVICE 0x10d3u

#define E1000E_BAR_SIZE	 0x20000u /* BAR 0 */
#define E1000E_REGS_SIZE 0x6000u  /* of it, what has registers */
#define E1000E_MSIX_SIZE 0x4000u  /* BAR 3 */
#define E1000E_PBA	 0x2000u  /* in it */
#define E1000E_VECTORS	 5u

/* ---- registers ---- */

#define E1000E_CTRL	   0x0000u
#define E1000E_STATUS	   0x0008u
#define E1000E_EECD	   0x0010u
#define E1000E_EERD	   0x0014u
#define E1000E_CTRL_EXT	   0x0018u
#define E1000E_MDIC	   0x0020u
#define E1000E_FCAL	   0x0028u
#define E1000E_FCAH	   0x002cu
#define E1000E_FCT	   0x0030u
#define E1000E_VET	   0x0038u
#define E1000E_ICR	   0x00c0u
#define E1000E_ITR	   0x00c4u
#define E1000E_ICS	   0x00c8u
#define E1000E_IMS	   0x00d0u
#define E1000E_IMC	   0x00d8u
#define E1000E_EIAC	   0x00dcu
#define E1000E_IAM	   0x00e0u
#define E1000E_IVAR	   0x00e4u
#define E1000E_EITR	   0x00e8u /* five of them */
#define E1000E_RCTL	   0x0100u
#define E1000E_FCTTV	   0x0170u
#define E1000E_TXCW	   0x0178u
#define E1000E_TCTL	   0x0400u
#define E1000E_TCTL_EXT	   0x0404u
#define E1000E_TIPG	   0x0410u
#define E1000E_AIFS	   0x0458u
#define E1000E_LEDCTL	   0x0e00u
#define E1000E_EXTCNF_CTRL 0x0f00u
#define E1000E_PBA_SIZES   0x1000u
#define E1000E_EEMNGCTL	   0x1010u
#define E1000E_EEWR	   0x102cu
#define E1000E_FCRTL	   0x2160u
#define E1000E_FCRTH	   0x2168u
#define E1000E_PSRCTL	   0x2170u
#define E1000E_RDBAL	   0x2800u
#define E1000E_RDBAH	   0x2804u
#define E1000E_RDLEN	   0x2808u
#define E1000E_RDH	   0x2810u
#define E1000E_RDT	   0x2818u
#define E1000E_RDTR	   0x2820u
#define E1000E_RXDCTL	   0x2828u
#define E1000E_RADV	   0x282cu
#define E1000E_RSRPD	   0x2c00u
#define E1000E_RAID	   0x2c08u
#define E1000E_TX_QUEUE	   0x0100u /* the second queue's registers are so much further */
#define E1000E_TDBAL	   0x3800u
#define E1000E_TDBAH	   0x3804u
#define E1000E_TDLEN	   0x3808u
#define E1000E_TDH	   0x3810u
#define E1000E_TDT	   0x3818u
#define E1000E_TIDV	   0x3820u
#define E1000E_TXDCTL	   0x3828u
#define E1000E_TADV	   0x382cu
#define E1000E_TARC	   0x3840u
#define E1000E_STATS	   0x4000u
#define E1000E_PRC64	   0x405cu /* and five longer ones */
#define E1000E_GPRC	   0x4074u
#define E1000E_BPRC	   0x4078u
#define E1000E_MPRC	   0x407cu
#define E1000E_GPTC	   0x4080u
#define E1000E_GORCL	   0x4088u
#define E1000E_GORCH	   0x408cu
#define E1000E_GOTCL	   0x4090u
#define E1000E_GOTCH	   0x4094u
#define E1000E_TORL	   0x40c0u
#define E1000E_TORH	   0x40c4u
#define E1000E_TOTL	   0x40c8u
#define E1000E_TOTH	   0x40ccu
#define E1000E_TPR	   0x40d0u
#define E1000E_TPT	   0x40d4u
#define E1000E_PTC64	   0x40d8u
#define E1000E_MPTC	   0x40f0u
#define E1000E_BPTC	   0x40f4u
#define E1000E_TSCTC	   0x40f8u
#define E1000E_STATS_LAST  0x4124u
#define E1000E_RXCSUM	   0x5000u
#define E1000E_RFCTL	   0x5008u
#define E1000E_MTA	   0x5200u
#define E1000E_MTA_LAST	   0x53fcu
#define E1000E_RAL	   0x5400u
#define E1000E_RAH	   0x5404u
#define E1000E_RAR_COUNT   16u
#define E1000E_VFTA	   0x5600u
#define E1000E_VFTA_LAST   0x57fcu
#define E1000E_WUC	   0x5800u
#define E1000E_WUFC	   0x5808u
#define E1000E_MRQC	   0x5818u
#define E1000E_MANC	   0x5820u
#define E1000E_GCR	   0x5b00u
#define E1000E_FACTPS	   0x5b30u
#define E1000E_SWSM	   0x5b50u
#define E1000E_FWSM	   0x5b54u
#define E1000E_GCR2	   0x5b64u
#define E1000E_RETA	   0x5c00u
#define E1000E_RETA_LAST   0x5c7cu
#define E1000E_RSSRK	   0x5c80u
#define E1000E_RSSRK_LAST  0x5ca4u

/* ---- bits ---- */

#define E1000E_CTRL_FD		0x00000001u
#define E1000E_CTRL_GIO_DISABLE 0x00000004u
#define E1000E_CTRL_SLU		0x00000040u
#define E1000E_CTRL_SPD_1000	0x00000200u
#define E1000E_CTRL_RST		0x04000000u
#define E1000E_CTRL_VME		0x40000000u
#define E1000E_CTRL_PHY_RST	0x80000000u

#define E1000E_STATUS_FD	 0x00000001u
#define E1000E_STATUS_LU	 0x00000002u
#define E1000E_STATUS_SPEED_1000 0x00000080u
#define E1000E_STATUS_GIO	 0x00080000u

#define E1000E_EECD_REQ	    0x00000040u
#define E1000E_EECD_GNT	    0x00000080u
#define E1000E_EECD_PRESENT 0x00000100u
#define E1000E_EECD_AUTO_RD 0x00000200u

#define E1000E_EERD_START 0x00000001u
#define E1000E_EERD_DONE  0x00000002u

#define E1000E_CTRL_EXT_EIAME 0x01000000u
#define E1000E_CTRL_EXT_IAME  0x08000000u

#define E1000E_MDIC_DATA  0x0000ffffu
#define E1000E_MDIC_WRITE 0x04000000u
#define E1000E_MDIC_READ  0x08000000u
#define E1000E_MDIC_READY 0x10000000u
#define E1000E_MDIC_INT	  0x20000000u
#define E1000E_MDIC_ERROR 0x40000000u

#define E1000E_ICR_TXDW	    0x00000001u
#define E1000E_ICR_TXQE	    0x00000002u
#define E1000E_ICR_LSC	    0x00000004u
#define E1000E_ICR_RXDMT0   0x00000010u
#define E1000E_ICR_RXO	    0x00000040u
#define E1000E_ICR_RXT0	    0x00000080u
#define E1000E_ICR_MDAC	    0x00000200u
#define E1000E_ICR_SRPD	    0x00010000u
#define E1000E_ICR_ACK	    0x00020000u
#define E1000E_ICR_MNG	    0x00040000u
#define E1000E_ICR_RXQ0	    0x00100000u
#define E1000E_ICR_RXQ1	    0x00200000u
#define E1000E_ICR_TXQ0	    0x00400000u
#define E1000E_ICR_TXQ1	    0x00800000u
#define E1000E_ICR_OTHER    0x01000000u
#define E1000E_ICR_ASSERTED 0x80000000u
#define E1000E_ICR_CAUSES   0x01ffffffu
/* What the vector of "other causes" stands for (7.4.3). */
#define E1000E_ICR_OTHERS                                                                       \
	(E1000E_ICR_LSC | E1000E_ICR_RXO | E1000E_ICR_MDAC | E1000E_ICR_SRPD | E1000E_ICR_ACK | \
	 E1000E_ICR_MNG)

#define E1000E_IVAR_VALID    0x8u
#define E1000E_IVAR_VECTOR   0x7u
#define E1000E_IVAR_TX_EVERY 0x80000000u /* TXQ0 also for what asks for no report of status */

#define E1000E_RCTL_EN	     0x00000002u
#define E1000E_RCTL_SBP	     0x00000004u
#define E1000E_RCTL_UPE	     0x00000008u
#define E1000E_RCTL_MPE	     0x00000010u
#define E1000E_RCTL_LPE	     0x00000020u
#define E1000E_RCTL_LBM_MAC  0x00000040u
#define E1000E_RCTL_RDMTS(r) ((r) >> 8 & 3u)
#define E1000E_RCTL_SPLIT    0x00000400u
#define E1000E_RCTL_MO(r)    ((r) >> 12 & 3u)
#define E1000E_RCTL_BAM	     0x00008000u
#define E1000E_RCTL_BSIZE(r) ((r) >> 16 & 3u)
#define E1000E_RCTL_VFE	     0x00040000u
#define E1000E_RCTL_BSEX     0x02000000u
#define E1000E_RCTL_SECRC    0x04000000u
#define E1000E_RCTL_FLX(r)   ((r) >> 27 & 15u)

#define E1000E_TCTL_EN	0x00000002u
#define E1000E_TCTL_PSP 0x00000008u

#define E1000E_RFCTL_EXTENDED 0x00008000u
#define E1000E_RXCSUM_IPOFL   0x00000100u
#define E1000E_RXCSUM_TUOFL   0x00000200u
#define E1000E_RAH_VALID      0x80000000u

/* ---- descriptors ---- */

#define E1000E_DESC 16u /* bytes; heads and tails count these */

/* third word of one for transmission: length, type, command (7.2.10) */
#define E1000E_TXD_LEN(w)   ((w)&0x000fffffu)
#define E1000E_TXD_TYPE(w)  ((w) >> 20 & 15u)
#define E1000E_TXD_CONTEXT  0u
#define E1000E_TXD_DATA	    1u
#define E1000E_TXD_EOP	    0x01000000u
#define E1000E_TXD_IC	    0x04000000u /* of a legacy one: insert a checksum */
#define E1000E_TXD_TSE	    0x04000000u
#define E1000E_TXD_RS	    0x08000000u
#define E1000E_TXD_EXTENDED 0x20000000u
#define E1000E_TXD_VLE	    0x40000000u
#define E1000E_TUCMD_TCP    0x01000000u
#define E1000E_TUCMD_IPV4   0x02000000u
/* fourth word */
#define E1000E_TXD_DD	    0x00000001u
#define E1000E_TXD_IXSM	    0x00000100u
#define E1000E_TXD_TXSM	    0x00000200u

/* status of a received one, the same bits in all layouts (7.1.5, 7.1.6) */
#define E1000E_RXD_DD	 0x00000001u
#define E1000E_RXD_EOP	 0x00000002u
#define E1000E_RXD_IXSM	 0x00000004u
#define E1000E_RXD_VP	 0x00000008u
#define E1000E_RXD_UDPCS 0x00000010u
#define E1000E_RXD_TCPCS 0x00000020u
#define E1000E_RXD_IPCS	 0x00000040u
/* errors: of the extended layouts; the legacy one has them in a byte of its own, >> 24 */
#define E1000E_RXD_TCPE	 0x20000000u
#define E1000E_RXD_IPE	 0x40000000u

/* ---- the EEPROM ---- */

#define E1000E_NVM_WORDS    64u
#define E1000E_NVM_CHECKSUM 0x3fu
#define E1000E_NVM_SUM	    0xbabau

/* ---- the PHY (82574 data sheet chapter 9; IEEE 802.3, 22.2.4) ---- */

#define E1000E_PHY_ADDRESS     1u
#define E1000E_PHY_PAGES       8u
#define E1000E_PHY_BMCR	       0u
#define E1000E_PHY_BMSR	       1u
#define E1000E_PHY_ID1	       2u
#define E1000E_PHY_ID2	       3u
#define E1000E_PHY_ANAR	       4u
#define E1000E_PHY_LPA	       5u
#define E1000E_PHY_ANER	       6u
#define E1000E_PHY_CTRL1000    9u
#define E1000E_PHY_STAT1000    10u
#define E1000E_PHY_ESTATUS     15u
#define E1000E_PHY_SPEC	       17u
#define E1000E_PHY_PAGE	       22u
#define E1000E_BMCR_RESET      0x8000u
#define E1000E_BMCR_LOOPBACK   0x4000u
#define E1000E_BMCR_POWER_DOWN 0x0800u
#define E1000E_BMCR_RESTART    0x0200u

#endif
