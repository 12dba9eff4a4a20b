/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vtd_format: what the bits of Intel VT-d mean, and nothing else.
 *
 * Sections are those of the "Intel Virtualization Technology for Directed I/O" specification,
 * revision 4.x. For each layout there is the wire struct as the unit reads it, with size asserted,
 * a struct of plain fields, and two pure functions between them:
 *
 *     struct vtd_context_raw raw = vtd_context_encode(&context);
 *     const char *why = vtd_context_decode(&raw, &context);   NULL, or why a unit would refuse it
 *
 * Decoding always fills the fields, also when it complains. Addresses are checked for alignment and
 * for bit 52 and above; the host's own width is for the caller to hold them against.
 *
 *     legacy:    root[bus] ► context[devfn] ► second-stage table
 *     scalable:  root[bus].lower|upper ► context[devfn] ► PASID directory ► PASID table ► both
 * stages interrupts: index in the message ► IRTE ► vector and CPU, or posted-interrupt descriptor
 */
#ifndef IOMMU_VTD_FORMAT_H
#define IOMMU_VTD_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "iommu/pagetable.h"

/* ---- registers (chapter 11.4): offsets, and bits indented below ---- */

enum vtd_reg {
	VTD_VER = 0x00,	   /* 32 bits: major 7:4, minor 3:0 */
	VTD_CAP = 0x08,	   /* 64 */
	VTD_ECAP = 0x10,   /* 64 */
	VTD_GCMD = 0x18,   /* 32: write only; bits as of GSTS below */
	VTD_GSTS = 0x1c,   /* 32 */
	VTD_RTADDR = 0x20, /* 64 */
	VTD_CCMD = 0x28,   /* 64 */
	VTD_FSTS = 0x34,   /* 32 */
	VTD_FECTL = 0x38,  /* 32: 31 IM interrupt mask, 30 IP interrupt pending */
	VTD_FEDATA = 0x3c,
	VTD_FEADDR = 0x40,
	VTD_FEUADDR = 0x44,
	VTD_PMEN = 0x64, /* 32: 31 EPM, 0 PRS */
	VTD_IQH = 0x80,	 /* 64: head in bits 18:4 */
	VTD_IQT = 0x88,	 /* 64: tail in bits 18:4 */
	VTD_IQA = 0x90,	 /* 64: address, 11 DW, 2:0 QS */
	VTD_ICS = 0x9c,	 /* 32: 0 IWC */
	VTD_IECTL = 0xa0,
	VTD_IQERCD = 0xb0, /* 64 */
	VTD_IRTA = 0xb8,   /* 64: address, 11 EIME, 3:0 size */
};
#define VTD_REGS_MIN_SIZE 0x1000u

/* GCMD and GSTS share the places; GSTS says so when done. */
#define VTD_GS_TE	(1u << 31) /* translation */
#define VTD_GS_RTP	(1u << 30) /* root table pointer taken */
#define VTD_GS_WBF	(1u << 27) /* write buffer flush under way */
#define VTD_GS_QIE	(1u << 26) /* queued invalidation */
#define VTD_GS_IRE	(1u << 25) /* interrupt remapping */
#define VTD_GS_IRTP	(1u << 24) /* interrupt table pointer taken */
#define VTD_GS_CFI	(1u << 23) /* compatibility format interrupts let through */
/* Commands that are over once done, which must not be repeated with the next one; 29 is SFL. */
#define VTD_GS_ONE_SHOT (VTD_GS_RTP | 1u << 29 | VTD_GS_WBF | VTD_GS_IRTP)

#define VTD_FSTS_PFO	     (1u << 0) /* fault records overflowed */
#define VTD_FSTS_PPF	     (1u << 1) /* one is pending */
#define VTD_FSTS_IQE	     (1u << 4) /* invalidation queue error */
#define VTD_FSTS_ICE	     (1u << 5) /* invalidation completion error */
#define VTD_FSTS_ITE	     (1u << 6) /* invalidation time-out */
#define vtd_fsts_index(fsts) ((fsts) >> 8 & 0xffu)

#define VTD_IQA_DW    (UINT64_C(1) << 11) /* descriptors of 256 bits */
#define VTD_IRTA_EIME (UINT64_C(1) << 11) /* 32-bit APIC identities */

enum vtd_table_mode { VTD_MODE_LEGACY = 0, VTD_MODE_SCALABLE = 1, VTD_MODE_ABORT = 3 };
/* RTADDR: the table, and how to read it (TTM). */
struct vtd_rtaddr {
	uint64_t table;
	enum vtd_table_mode mode;
};
uint64_t vtd_rtaddr_encode(const struct vtd_rtaddr *in);
const char *vtd_rtaddr_decode(uint64_t raw, struct vtd_rtaddr *out);

struct vtd_irta {
	uint64_t table;
	unsigned entries; /* power of two, 2 … 65536 */
	bool x2apic;
};
uint64_t vtd_irta_encode(const struct vtd_irta *in);
const char *vtd_irta_decode(uint64_t raw, struct vtd_irta *out);

/* ---- capabilities (11.4: CAP, ECAP) ---- */

struct vtd_cap {
	unsigned domains;		      /* ND: number of domain ids */
	bool write_buffer_flush;	      /* RWBF */
	bool protected_low, protected_high;   /* PLMR, PHMR */
	bool caching_mode;		      /* CM: absent entries are cached too */
	unsigned agaw;			      /* SAGAW: bit 1: 3 levels, 2: 4 levels, 3: 5 levels */
	unsigned guest_width;		      /* MGAW: bits of an I/O address */
	bool zero_length_read;		      /* ZLR */
	unsigned fault_offset, fault_records; /* FRO in bytes, NFR */
	bool second_2m, second_1g;	      /* SSLPS */
	bool page_selective;		      /* PSI */
	unsigned max_mask;		      /* MAMV */
	bool drain_writes, drain_reads;
	bool first_1g, first_5_levels;	      /* FS1GP, FS5LP */
	bool posted_interrupts;		      /* PI */
	bool self_flush_irtp, self_flush_rtp; /* ESIRTPS, ESRTPS */
};
void vtd_cap_decode(uint64_t raw, struct vtd_cap *out);

struct vtd_ecap {
	bool coherent;				 /* C: the unit snoops tables */
	bool queued;				 /* QI */
	bool device_tlb;			 /* DT */
	bool interrupt_remapping, x2apic;	 /* IR, EIM */
	bool pass_through;			 /* PT */
	bool snoop_control;			 /* SC */
	unsigned iotlb_offset;			 /* IRO in bytes */
	unsigned max_handle_mask;		 /* MHMV */
	bool memory_type, nested, page_requests; /* MTS, NEST, PRS */
	bool execute, supervisor;		 /* ERS, SRS */
	bool no_write_flag, extended_accessed;	 /* NWFS, EAFS */
	unsigned pasid_bits;			 /* PSS + 1; 0 without PASID */
	bool device_tlb_throttle, page_drain;	 /* DIT, PDS */
	bool scalable;				 /* SMTS */
	bool virtual_command;			 /* VCS */
	bool second_accessed_dirty;		 /* SSADS */
	bool second_stage, first_stage;		 /* SSTS, FSTS: in scalable mode */
	bool scalable_coherent;			 /* SMPWCS */
	bool rid_pasid;				 /* RPS */
	bool abort_mode;			 /* ADMS */
};
void vtd_ecap_decode(uint64_t raw, struct vtd_ecap *out);

/* One line per capability, in words: calls `line` with "queued invalidation", "yes" and the like.
 */
typedef void (*vtd_words_fn)(void *opaque, const char *field, const char *what, const char *value);
void vtd_cap_words(const struct vtd_cap *cap, vtd_words_fn line, void *opaque);
void vtd_ecap_words(const struct vtd_ecap *ecap, vtd_words_fn line, void *opaque);

/* ---- root entries (9.1 legacy, 9.2 scalable): one per bus, 256 in a page ---- */

struct vtd_root_raw {
	uint64_t lo, hi;
};
_Static_assert(sizeof(struct vtd_root_raw) * 256 == 4096, "9.1: a page of 256");

/* Legacy mode has one table of 256 contexts per bus, in `lower`; scalable mode one of 128 for
 * devices 0 … 15 and one for 16 … 31. */
struct vtd_root {
	bool lower_present, upper_present;
	uint64_t lower, upper;
};
struct vtd_root_raw vtd_root_encode(const struct vtd_root *in);
const char *vtd_root_decode(const struct vtd_root_raw *raw, enum vtd_table_mode mode,
			    struct vtd_root *out);

/* ---- context entry, legacy (9.3): one per function of the bus, 256 in a page ---- */

struct vtd_context_raw {
	uint64_t lo, hi;
};
_Static_assert(sizeof(struct vtd_context_raw) * 256 == 4096, "9.3: a page of 256");

enum vtd_translation {
	VTD_TT_SECOND_STAGE = 0,	    /* translated requests are blocked */
	VTD_TT_SECOND_STAGE_DEVICE_TLB = 1, /* and let through */
	VTD_TT_PASS_THROUGH = 2,	    /* the device reaches everything */
};

struct vtd_context {
	bool present;
	bool fault_disable; /* FPD: faults are not recorded */
	enum vtd_translation type;
	uint64_t table;	 /* SSPTPTR */
	unsigned levels; /* AW: 3, 4, 5 */
	uint16_t domain;
};
struct vtd_context_raw vtd_context_encode(const struct vtd_context *in);
const char *vtd_context_decode(const struct vtd_context_raw *raw, struct vtd_context *out);

/* ---- context entry, scalable (9.4): one per function, 128 in a page ---- */

struct vtd_scontext_raw {
	uint64_t q[4];
};
_Static_assert(sizeof(struct vtd_scontext_raw) * 128 == 4096, "9.4: a page of 128");

struct vtd_scontext {
	bool present, fault_disable;
	bool device_tlb;	    /* DTE */
	bool pasid_enable;	    /* PASIDE: requests with a PASID are taken */
	bool page_requests;	    /* PRE */
	unsigned directory_entries; /* PDTS: 128 … 16384 */
	uint64_t directory;
	uint32_t rid_pasid; /* the PASID of requests without one */
	bool rid_privileged;
};
struct vtd_scontext_raw vtd_scontext_encode(const struct vtd_scontext *in);
const char *vtd_scontext_decode(const struct vtd_scontext_raw *raw, struct vtd_scontext *out);

/* ---- PASID directory entry (9.5): 512 in a page, each for 64 PASIDs ---- */

struct vtd_pasid_dir {
	bool present, fault_disable;
	uint64_t table;
};
uint64_t vtd_pasid_dir_encode(const struct vtd_pasid_dir *in);
const char *vtd_pasid_dir_decode(uint64_t raw, struct vtd_pasid_dir *out);
#define vtd_pasid_dir_index(pasid) ((pasid) >> 6)
#define vtd_pasid_index(pasid)	   ((pasid)&63u)

/* ---- PASID table entry (9.6): 64 in a page ---- */

struct vtd_pasid_raw {
	uint64_t q[8];
};
_Static_assert(sizeof(struct vtd_pasid_raw) * 64 == 4096, "9.6: a page of 64");

enum vtd_pasid_type { /* PGTT */
		      VTD_PGTT_FIRST_STAGE = 1,
		      VTD_PGTT_SECOND_STAGE = 2,
		      VTD_PGTT_NESTED = 3,
		      VTD_PGTT_PASS_THROUGH = 4,
};

struct vtd_pasid {
	bool present, fault_disable;
	enum vtd_pasid_type type;
	uint16_t domain;
	unsigned second_levels;						     /* AW: 3, 4, 5 */
	uint64_t second_table;						     /* SSPTPTR */
	bool second_accessed_dirty, second_execute;			     /* SSADE, SSEE */
	unsigned first_levels;						     /* FSPM: 4, 5 */
	uint64_t first_table;						     /* FSPTPTR */
	bool supervisor, write_protect, no_execute, smep, extended_accessed; /* SRE WPE NXE … */
	bool walk_snoop, page_snoop;					     /* PWSNP, PGSNP */
	bool cache_disable;
	uint32_t pat; /* with EMTE */
	bool memory_type;
};
struct vtd_pasid_raw vtd_pasid_encode(const struct vtd_pasid *in);
const char *vtd_pasid_decode(const struct vtd_pasid_raw *raw, struct vtd_pasid *out);

/* ---- paging entries (9.7 first stage, 9.8 second stage), as formats of the walker ---- */

/* Flags of a format made below. */
#define VTD_PAGING_SNOOP	  (1u << 0) /* second stage: SNP may be set (ECAP.SC) */
#define VTD_PAGING_EXECUTE	  (1u << 1) /* second stage: X counts (SSEE); first: XD (NXE) */
#define VTD_PAGING_ACCESSED_DIRTY (1u << 2) /* second stage: A and D count (SSADE) */

/* `page_sizes`: bit 12, 21, 30. A first stage takes addresses of which the upper half is the sign
 * of the lower; the walker stays in the lower, so one bit less than the levels could. */
struct pagetable_format vtd_second_stage(unsigned levels, unsigned host_width, uint64_t page_sizes,
					 unsigned flags);
struct pagetable_format vtd_first_stage(unsigned levels, unsigned host_width, uint64_t page_sizes,
					unsigned flags);
/* What `cap` allows. */
uint64_t vtd_second_stage_sizes(const struct vtd_cap *cap);
uint64_t vtd_first_stage_sizes(const struct vtd_cap *cap);

/* ---- interrupt remapping table entry (9.10 remapped, 9.11 posted) ---- */

struct vtd_irte_raw {
	uint64_t lo, hi;
};
_Static_assert(sizeof(struct vtd_irte_raw) == 16, "9.10: 128 bits");

enum vtd_source_check { /* SVT */
			VTD_SVT_NONE = 0,
			VTD_SVT_REQUESTER = 1, /* with SQ: which bits of the function count */
			VTD_SVT_BUS = 2,       /* SID is first bus and last bus */
};

struct vtd_irte {
	bool present, fault_disable;
	bool posted; /* IM */
	uint8_t vector;
	/* remapped */
	bool logical;	      /* DM */
	bool hint;	      /* RH */
	bool level;	      /* TM */
	uint8_t delivery;     /* DLM: 0 fixed, 1 lowest priority, 2 SMI, 4 NMI, 5 INIT, 7 ExtINT */
	uint32_t destination; /* as written: an x2APIC identity, or an APIC identity in 15:8 */
	/* posted */
	bool urgent;
	uint64_t descriptor; /* physical, 64-byte aligned */
	/* both */
	uint8_t available; /* software's bits 11:8 */
	enum vtd_source_check check;
	uint8_t qualifier; /* SQ: 0 all bits, 1 not bit 2, 2 not bits 2:1, 3 not bits 2:0 */
	uint16_t source;   /* SID: bus << 8 | devfn */
};
struct vtd_irte_raw vtd_irte_encode(const struct vtd_irte *in);
const char *vtd_irte_decode(const struct vtd_irte_raw *raw, struct vtd_irte *out);
/* Does an interrupt of requester `source` pass the entry's check? */
bool vtd_irte_accepts(const struct vtd_irte *irte, uint16_t source);

/* The MSI a device sends to reach entry `index` (5.1.5.2: remappable format). */
struct vtd_msi {
	uint32_t address, data;
};
struct vtd_msi vtd_msi_encode(uint16_t index, bool subhandle);
/* False: compatibility format, or no interrupt at all. */
bool vtd_msi_decode(struct vtd_msi msi, uint32_t *index);

/* ---- posted-interrupt descriptor (9.12) ---- */

struct vtd_pid_raw {
	uint64_t requests[4]; /* PIR: a bit per vector */
	uint64_t control;
	uint64_t reserved[3];
};
_Static_assert(sizeof(struct vtd_pid_raw) == 64, "9.12: 512 bits");
_Static_assert(offsetof(struct vtd_pid_raw, control) == 32, "9.12: control at bit 256");

struct vtd_pid {
	uint64_t requests[4];
	bool outstanding, suppress; /* ON, SN */
	uint8_t vector;		    /* NV */
	uint32_t destination;	    /* NDST */
};
struct vtd_pid_raw vtd_pid_encode(const struct vtd_pid *in);
const char *vtd_pid_decode(const struct vtd_pid_raw *raw, struct vtd_pid *out);

/* ---- invalidation descriptors (6.5.2) ---- */

/* 256 bits; a queue of 128-bit descriptors (IQA.DW clear) takes the first half. */
struct vtd_inv_raw {
	uint64_t q[4];
};
_Static_assert(sizeof(struct vtd_inv_raw) == 32, "6.5.2: 256 bits");

enum vtd_inv_type {
	VTD_INV_CONTEXT = 1,
	VTD_INV_IOTLB = 2,
	VTD_INV_DEVICE_TLB = 3,
	VTD_INV_INTERRUPT = 4, /* IEC */
	VTD_INV_WAIT = 5,
	VTD_INV_PASID_IOTLB = 6,
	VTD_INV_PASID_CACHE = 7,
	VTD_INV_PASID_DEVICE_TLB = 8,
};

/* How much: the same words for every kind, encoded as each kind wants it. */
enum vtd_inv_scope {
	VTD_SCOPE_GLOBAL, /* everything */
	VTD_SCOPE_DOMAIN, /* one domain (context, IOTLB, PASID cache) */
	VTD_SCOPE_DEVICE, /* one function (context) */
	VTD_SCOPE_PASID,  /* one PASID of a domain */
	VTD_SCOPE_PAGES,  /* 2^mask pages of 4 KiB from `address` on */
	VTD_SCOPE_INDEX,  /* 2^mask interrupt entries from `index` on */
};

struct vtd_inv {
	enum vtd_inv_type type;
	enum vtd_inv_scope scope;
	uint16_t domain, source;
	uint8_t function_mask; /* context: which function bits do not count */
	uint32_t pasid;
	uint64_t address;
	uint8_t mask;
	bool leaf_only; /* IH: only leaves changed */
	bool drain_reads, drain_writes;
	uint16_t index;	     /* interrupt */
	uint16_t pf_source;  /* device TLB of a VF: its PF */
	uint8_t max_pending; /* device TLB */
	bool size;	     /* device TLB: S, the size is in the address */
	/* wait */
	bool write_status, interrupt, fence, page_drain;
	uint32_t status;
};
/* -EINVAL: that scope does not go with that type, or a field does not fit. */
int vtd_inv_encode(const struct vtd_inv *in, struct vtd_inv_raw *out);
const char *vtd_inv_decode(const struct vtd_inv_raw *raw, struct vtd_inv *out);
const char *vtd_inv_name(enum vtd_inv_type type); /* "IOTLB invalidation" */

/* ---- fault records (9.9; reasons: chapter 7.1) ---- */

struct vtd_fault_raw {
	uint64_t lo, hi;
};
_Static_assert(sizeof(struct vtd_fault_raw) == 16, "9.9: 128 bits");

enum vtd_request {
	VTD_REQUEST_WRITE = 0,
	VTD_REQUEST_PAGE = 1,
	VTD_REQUEST_READ = 2,
	VTD_REQUEST_ATOMIC = 3
};

struct vtd_fault {
	bool fault;	  /* F: the record is valid */
	uint64_t address; /* of the page; for interrupts see index */
	uint16_t index;	  /* of the interrupt entry */
	uint16_t source;
	uint8_t reason;
	enum vtd_request request;
	uint8_t address_type; /* AT */
	bool has_pasid, execute, privileged;
	uint32_t pasid;
};
struct vtd_fault_raw vtd_fault_encode(const struct vtd_fault *in);
void vtd_fault_decode(const struct vtd_fault_raw *raw, struct vtd_fault *out);
bool vtd_fault_is_interrupt(uint8_t reason);
/* In words; never NULL. */
const char *vtd_fault_reason(uint8_t reason);
#define VTD_FAULT_TEXT 192
/* "write to 0x1000 blocked: the second-stage entry does not allow writes (0x05)" */
char *vtd_fault_text(const struct vtd_fault *fault, char text[VTD_FAULT_TEXT]);

#endif
