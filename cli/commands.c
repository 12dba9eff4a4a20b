/* SPDX-License-Identifier: BSD-3-Clause */
/* commands: the grammar of sluice, one row per command. See args.h. */
#include "cli/cli.h"

#include "hv-core/hv.h"

#include "base/util.h"

const struct cli_noun cli_nouns[] = {
	{"host", "the machine: virtualization, IOMMU, memory"},
	{"pf", "physical functions: devices that can be divided"},
	{"vf", "virtual functions: the parts of a PF that VMs get"},
	{"iommu", "IOMMU groups: what can be handed out apart from the rest"},
	{"vm", "virtual machines"},
	{"pool", "VFs by what they are, for VMs that take any of them"},
	{"plan", "what is missing on this machine of what is wished"},
	{"apply", "make the machine as it is wished"},
	{"assert", "whether the machine is as it is wished"},
	{"export", "what is wished, as a file"},
	{"switch", "the switch that joins virtual machines (DPDK)"},
	{"bench", "the same work over every path that a packet can take, measured"},
	{"completion", "completion of commands in a shell"},
	{0},
};

const struct cli_option cli_common[] = {
	{.name = "--json", .help = "print JSON instead of text"},
	{.name = "--dry-run", .help = "check everything, say what would be done, change nothing"},
	{.name = "--help", .help = "explain the command, with examples"},
	{0},
};

#define EXAMPLES(...) ((const char *const[]){__VA_ARGS__, NULL})

static const struct cli_option host_caps_options[] = {
	{.name = "--from",
	 .value = "FILE",
	 .kind = CLI_FILE,
	 .help = "decode the numbers in a file, lines 'MSR VALUE' or 'svm EAX EBX EDX', not this machine's"},
	{0},
};

#define OFFLINE                                                         \
	{                                                               \
		.name = "--offline", .value = "FILE", .kind = CLI_FILE, \
		.help = "look at a snapshot instead of this machine"    \
	}

static const struct cli_option iommu_audit_options[] = {
	{.name = "--snapshot",
	 .value = "FILE",
	 .kind = CLI_FILE,
	 .help = "also keep what was seen in a file"},
	OFFLINE,
	{0},
};

static const struct cli_option iommu_offline_options[] = {
	OFFLINE,
	{0},
};

#define IRQS_ABOUT                                                                                      \
	"For every vector of a passed-through device: the host's interrupt, its chip (IR-: remapped), " \
	"the CPU it goes to, how often it came, and whether the IOMMU posts it into the virtual CPU "   \
	"without the host, or why not. The entry of the remapping table is shown where registers and "  \
	"tables can be read (see iommu audit). Where the way is known from is said too: table, the "    \
	"entry itself; count, the host's handler took the interrupt between two looks (vm irqs "        \
	"--seconds), so it was not posted; capabilities, a conclusion from what processor, IOMMU and "  \
	"guest could do."

static const struct cli_option vf_create_options[] = {
	{.name = "--count",
	 .value = "N",
	 .kind = CLI_NUMBER,
	 .min = 1,
	 .max = 65535,
	 .required = true,
	 .help = "how many VFs the PF shall have"},
	{.name = "--probe", .help = "let the host's own drivers take the new VFs"},
	{0},
};

#define PF_OPTION                                                     \
	{                                                             \
		.name = "--pf", .value = "PF", .kind = CLI_PF,        \
		.help = "only this physical function, instead of all" \
	}
#define PHASE_OPTION                                                                           \
	{                                                                                      \
		.name = "--phase", .value = "early|late|all", .kind = CLI_WORD,                \
		.words = "early|late|all",                                                     \
		.help = "at boot: early leaves out the settings that need the PF's link (all)" \
	}

#define FROM_OPTION                                                                               \
	{                                                                                         \
		.name = "--from", .value = "FILE", .kind = CLI_FILE,                              \
		.help = "a host file (YAML or JSON; see export) instead of /etc/sluice/host.yaml" \
	}

static const struct cli_option plan_options[] = {PF_OPTION, PHASE_OPTION, FROM_OPTION, {0}};
static const struct cli_option assert_options[] = {FROM_OPTION, {0}};

static const struct cli_option apply_options[] = {
	PF_OPTION,
	PHASE_OPTION,
	{.name = "--await-link",
	 .value = "SECONDS",
	 .kind = CLI_NUMBER,
	 .max = 3600,
	 .help = "where something waits for a PF's link, wait for it so long"},
	{.name = "--yes", .help = "also what somebody feels: VFs made anew, drivers changed"},
	FROM_OPTION,
	{0},
};

static const struct cli_option export_options[] = {
	{.name = "--found", .help = "the machine as it is, instead of as it is wished"},
	{.name = "--schema",
	 .help = "instead, every key that a host file can have, as tables in Markdown"},
	{0},
};

static const struct cli_option pool_set_options[] = {
	{.name = "--pf", .value = "PF", .kind = CLI_PF, .help = "only VFs of this PF"},
	{.name = "--numa",
	 .value = "NODE",
	 .kind = CLI_NUMBER,
	 .max = 1023,
	 .help = "only VFs of PFs on this NUMA node"},
	{.name = "--driver",
	 .value = "DRIVER",
	 .kind = CLI_TEXT,
	 .help = "only VFs of PFs with this driver"},
	{.name = "--speed",
	 .value = "MBIT",
	 .kind = CLI_NUMBER,
	 .max = 10000000,
	 .help = "only VFs of PFs whose link is at least so fast"},
	{0},
};

static const struct cli_option pf_set_options[] = {
	{.name = "--eswitch",
	 .value = "legacy|switchdev|any",
	 .kind = CLI_WORD,
	 .words = "legacy|switchdev|any",
	 .help = "how the card's own switch is run; any: as it happens to be"},
	{.name = "--nvme-keep",
	 .value = "N|any",
	 .kind = CLI_TEXT,
	 .help = "of the queues and of the interrupts that VFs could have, N stay with the NVMe "
		 "controller, which is reset; any: as it happens to be"},
	{0},
};

static const struct cli_option vf_set_options[] = {
	{.name = "--driver",
	 .value = "NAME|none",
	 .kind = CLI_TEXT,
	 .help = "the host's driver of the VF while no VM has it"},
	{.name = "--mac",
	 .value = "MAC",
	 .kind = CLI_TEXT,
	 .help = "station address, such as 02:00:00:00:00:01"},
	{.name = "--vlan",
	 .value = "ID[,qos=Q]",
	 .kind = CLI_TEXT,
	 .help = "VLAN 1 to 4094 with priority 0 to 7; 0 for none"},
	{.name = "--vlan-proto",
	 .value = "802.1q|802.1ad",
	 .kind = CLI_WORD,
	 .words = "802.1q|802.1ad",
	 .help = "the VLAN tag: plain, or the outer one of two"},
	{.name = "--spoof-check",
	 .value = "on|off",
	 .kind = CLI_WORD,
	 .words = "on|off",
	 .help = "drop frames that the VF sends with another source address"},
	{.name = "--trust",
	 .value = "on|off",
	 .kind = CLI_WORD,
	 .words = "on|off",
	 .help = "let the VF change its address and turn on promiscuous mode"},
	{.name = "--max-rate",
	 .value = "MBIT",
	 .kind = CLI_NUMBER,
	 .max = UINT32_MAX,
	 .help = "highest transmit rate in Mb/s; 0 for no limit"},
	{.name = "--min-rate",
	 .value = "MBIT",
	 .kind = CLI_NUMBER,
	 .max = UINT32_MAX,
	 .help = "guaranteed transmit rate in Mb/s; 0 for none"},
	{.name = "--link-state",
	 .value = "auto|enable|disable",
	 .kind = CLI_WORD,
	 .words = "auto|enable|disable",
	 .help = "the link that the VF sees: the PF's, always up, always down"},
	{.name = "--rss-query",
	 .value = "on|off",
	 .kind = CLI_WORD,
	 .words = "on|off",
	 .help = "let the VF read how the card spreads packets over queues"},
	{.name = "--msix",
	 .value = "N",
	 .kind = CLI_NUMBER,
	 .max = 2048,
	 .help = "interrupt vectors of the VF, before a driver has it; 0 for the default"},
	{.name = "--port-addr",
	 .value = "MAC",
	 .kind = CLI_TEXT,
	 .help = "hardware address of the VF's devlink port function"},
	{.name = "--roce",
	 .value = "on|off",
	 .kind = CLI_WORD,
	 .words = "on|off",
	 .help = "RDMA over Ethernet in the VF (devlink port function)"},
	{.name = "--migratable",
	 .value = "on|off",
	 .kind = CLI_WORD,
	 .words = "on|off",
	 .help = "whether the VF can be saved and moved (devlink port function)"},
	{.name = "--io-eqs",
	 .value = "N",
	 .kind = CLI_NUMBER,
	 .max = UINT16_MAX,
	 .help = "most event queues of the VF (devlink port function)"},
	{.name = "--tx-share",
	 .value = "MBIT",
	 .kind = CLI_NUMBER,
	 .max = UINT32_MAX,
	 .help = "guaranteed transmit rate in switchdev mode (devlink rate); 0 for none"},
	{.name = "--tx-max",
	 .value = "MBIT",
	 .kind = CLI_NUMBER,
	 .max = UINT32_MAX,
	 .help = "highest transmit rate in switchdev mode (devlink rate); 0 for no limit"},
	{.name = "--nvme-queues",
	 .value = "N",
	 .kind = CLI_NUMBER,
	 .max = UINT16_MAX,
	 .help = "queue pairs of an NVMe VF, the admin queue counted; 0 takes it offline"},
	{.name = "--nvme-interrupts",
	 .value = "N",
	 .kind = CLI_NUMBER,
	 .max = UINT16_MAX,
	 .help = "interrupt vectors of an NVMe VF; 0 takes it offline"},
	{0},
};

/* The first is of this run alone; the others are the VM (VM_OPTIONS). */
static const struct cli_option vm_run_options[] = {
	{.name = "--detach", .help = "return when the VM runs; it lives on in the background"},
	{.name = "--kernel",
	 .value = "FILE",
	 .kind = CLI_FILE,
	 .help = "Linux bzImage, ELF with a PVH entry, or Multiboot kernel; needed without --firmware"},
	{.name = "--firmware",
	 .value = "uefi|bios|FILE[,vars=FILE]",
	 .kind = CLI_TEXT,
	 .help = "boot by firmware, as a PC does: OVMF, SeaBIOS, or an image; vars keeps UEFI's "
		 "variables"},
	{.name = "--boot",
	 .value = "disk|kernel",
	 .kind = CLI_WORD,
	 .words = "disk|kernel",
	 .help = "what the firmware starts (kernel with --kernel, else disk)"},
	{.name = "--initrd",
	 .value = "FILE",
	 .kind = CLI_FILE,
	 .help = "initial RAM disk; a Multiboot kernel's module"},
	{.name = "--append",
	 .value = "TEXT",
	 .kind = CLI_TEXT,
	 .help = "kernel command line (console=ttyS0 for output)"},
	{.name = "--cpus",
	 .value = "N[,max=M]",
	 .kind = CLI_TEXT,
	 .help = "virtual CPUs (1), and how many it may get while it runs"},
	{.name = "--memory",
	 .value = "SIZE[,pages=4k|thp|2m|1g][,max=SIZE][,share]",
	 .kind = CLI_TEXT,
	 .help = "guest RAM, the pages that hold it (512M,pages=thp), and how much it may become by vm "
		 "memory; best in steps of 128M, which Linux takes as a piece; share lets other processes "
		 "map it, for a disk of theirs that comes later"},
	{.name = "--pin",
	 .value = "VCPU:CPU,...",
	 .kind = CLI_TEXT,
	 .help = "keep virtual CPUs on CPUs of the host, such as 0:2,1:3"},
	{.name = "--isolate",
	 .help = "keep the cores that --pin names for this VM: no other VM gets them, and those that "
		 "run there without being pinned are moved away"},
	{.name = "--numa",
	 .value = "NODE|any[,cpus=N-N:N][,memory=SIZE]",
	 .kind = CLI_TEXT,
	 .repeat = true,
	 .help = "a NUMA node of the guest, on a node of the host: memory comes from there, virtual CPUs "
		 "run there unless pinned; without cpus and memory the nodes share them equally"},
	{.name = "--ksm",
	 .value = "on|off",
	 .kind = CLI_WORD,
	 .words = "on|off",
	 .help = "let the host's kernel merge pages that are equal in this VM and others (off); another VM "
		 "can find out by timing which pages it shares"},
	{.name = "--phys-bits",
	 .value = "N",
	 .kind = CLI_NUMBER,
	 .min = 32,
	 .max = 52,
	 .help = "width of the guest's physical addresses (the CPU's, or the IOMMU's where devices are "
		 "given and it is less)"},
	{.name = "--vf",
	 .value = "PF[/N][:KEY=VALUE,...]",
	 .kind = CLI_VF,
	 .repeat = true,
	 .help = "give the VM a VF (the first free one without /N; or a pool's name), with settings mac, vlan, qos, "
		 "spoof-check, trust, max-rate, min-rate and the others of vf set"},
	{.name = "--device",
	 .value = "ADDRESS",
	 .kind = CLI_BDF,
	 .repeat = true,
	 .help = "give the VM a whole PCI function"},
	{.name = "--net",
	 .value = "tap[=INTERFACE]|vhost-user=PATH[,KEY=VALUE,...]",
	 .kind = CLI_TEXT,
	 .repeat = true,
	 .help = "give the VM a virtio NIC on a tap, or on a new one (NAME-n0) that goes with the VM, or on "
		 "a switch's port at a vhost-user socket; settings bridge, mac (else made of the VM's name, "
		 "always the same), queues (1), mtu, backend=vhost|user, model=e1000e (an emulated Intel "
		 "82574, for guests without virtio drivers; on a tap only), standby=on (the guest uses it "
		 "while the VF of the same address, by default its first --vf, is away); of a port also "
		 "server (listen there, and the switch calls) and packed (rings; after a kill of the "
		 "switch with buffers under way the NIC then asks for a reset)"},
	{.name = "--hotplug-ports",
	 .value = "N",
	 .kind = CLI_NUMBER,
	 .max = 24,
	 .help = "how many devices can be attached while it runs, beside those it starts with (4)"},
	{.name = "--disk",
	 .value = "PATH[,SETTING,...]",
	 .kind = CLI_FILE,
	 .repeat = true,
	 .help = "a raw image or block device as a virtio disk; settings: ro, direct (past the host's "
		 "cache), share (without a lock), serial=TEXT, queues=N, iops=N and bps=SIZE (limits "
		 "per second); format=qcow2 (or vmdk, vdi, vhdx, ...): qemu-storage-daemon reads the "
		 "image; vhost-user=SOCKET[,queues=N]: another process serves the disk"},
	{.name = "--rng", .help = "give the guest entropy of the host's (virtio-rng)"},
	{.name = "--on-reboot",
	 .value = "restart|exit",
	 .kind = CLI_WORD,
	 .words = "restart|exit",
	 .help = "what a reboot of the guest does (restart); a triple fault is one, as in a PC, but with "
		 "exit, or three times in a row within ten seconds of the start, it is a crash"},
	{.name = "--console",
	 .value = "serial|virtio",
	 .kind = CLI_WORD,
	 .words = "serial|virtio",
	 .help = "what is typed goes to the serial port, or to a virtio console (hvc0 in Linux) whose "
		 "output is shown too (serial)"},
	{.name = "--vsock",
	 .value = "CID",
	 .kind = CLI_NUMBER,
	 .max = UINT32_MAX - 1,
	 .help = "give the VM a vsock device with this context ID (from 3 on), by which programs of "
		 "the host reach it"},
	{.name = "--balloon",
	 .help = "let vm balloon take memory from the guest, and idle pages go back to the host; not "
		 "together with devices of the host or huge pages"},
	{.name = "--prefault",
	 .help = "take all memory from the host, in the background while the guest runs, so that the first "
		 "attach need not wait for it; not together with --balloon"},
	{.name = "--watchdog",
	 .value = "reset|poweroff|none",
	 .kind = CLI_WORD,
	 .words = "reset|poweroff|none",
	 .help = "add an i6300esb watchdog, and what it does when the guest no longer feeds it "
		 "(none: a line in the log)"},
	{.name = "--exit-port",
	 .value = "PORT|none",
	 .kind = CLI_TEXT,
	 .help = "I/O port where a test kernel ends the VM with a status (0xf4 for a Multiboot kernel, "
		 "otherwise none)"},
	{.name = "--irqchip",
	 .value = "split|kernel",
	 .kind = CLI_WORD,
	 .words = "split|kernel",
	 .help = "who has the I/O APIC, PIC and PIT: the VM's process, or KVM, which spends no "
		 "exits on INTx and a PC's timer (split)"},
	{.name = "--no-kaslr", .help = "load the kernel where it was linked"},
	{.name = "--no-sandbox",
	 .help = "for debugging: the VMM keeps the rights of whoever starts it (see docs/threats.md)"},
	{0},
};

#define VM_OPTIONS (vm_run_options + 1)

static const struct cli_option vm_start_options[] = {
	{.name = "--detach", .help = "return when the VM runs; it lives on in the background"},
	{0},
};

#define WHEN_OPTIONS                                                                                    \
	{.name = "--live", .help = "the VM that runs; what it does when no other is said"},             \
	{                                                                                               \
		.name = "--config",                                                                     \
		.help = "its definition, from the next start on; what it does when the VM does not run" \
	}

static const struct cli_option vm_attach_options[] = {
	{.name = "--vf",
	 .value = "PF[/N][:KEY=VALUE,...]",
	 .kind = CLI_VF,
	 .repeat = true,
	 .help = "a VF (the first free one without /N), with settings as for vm run"},
	{.name = "--device",
	 .value = "ADDRESS",
	 .kind = CLI_BDF,
	 .repeat = true,
	 .help = "a whole PCI function"},
	{.name = "--disk",
	 .value = "PATH[,KEY=VALUE,...]",
	 .kind = CLI_FILE,
	 .repeat = true,
	 .help = "a raw image, block device, image of another format, or vhost-user=SOCKET, with settings "
		 "as for vm run"},
	WHEN_OPTIONS,
	{0},
};

static const struct cli_option vf_attach_options[] = {
	WHEN_OPTIONS,
	{0},
};

static const struct cli_option guest_time_options[] = {
	{.name = "--timeout",
	 .value = "S",
	 .kind = CLI_NUMBER,
	 .min = 1,
	 .max = 86400,
	 .help = "seconds that the guest has (30)"},
	{0},
};

static const struct cli_option detach_options[] = {
	{.name = "--timeout",
	 .value = "S",
	 .kind = CLI_NUMBER,
	 .min = 1,
	 .max = 86400,
	 .help = "seconds that the guest has (30)"},
	WHEN_OPTIONS,
	{0},
};

#define DETACH_ABOUT                                                                                   \
	"Asks the guest through ACPI, or, where its own driver has the slot, by the slot's attention " \
	"button, after which it waits five seconds. The guest stops its driver and lets go; then the " \
	"device is taken out, and goes back to its former driver and settings. A guest that does not " \
	"do so in time keeps the device, and may be asked again.\n\nOf a VM that does not run, the "   \
	"definition is changed (--config)."

static const struct cli_option vm_stat_options[] = {
	{.name = "--exits",
	 .value = "SECONDS",
	 .kind = CLI_NUMBER,
	 .min = 1,
	 .max = 3600,
	 .help = "count all exits for so long, also those that the kernel handles, by the processor's own "
		 "reasons (root, with tracefs)"},
	{.name = "--timing",
	 .value = "on|off",
	 .kind = CLI_WORD,
	 .words = "on|off",
	 .help = "count the time that exits and accesses take from now on, or no longer"},
	{0},
};

static const struct cli_option host_metrics_options[] = {
	{.name = "--listen",
	 .value = "ADDRESS:PORT",
	 .kind = CLI_TEXT,
	 .help = "serve them at http://ADDRESS:PORT/metrics until a signal, as in 127.0.0.1:9178"},
	{0},
};

static const struct cli_option host_top_options[] = {
	{.name = "--interval",
	 .value = "SECONDS",
	 .kind = CLI_NUMBER,
	 .min = 1,
	 .max = 3600,
	 .help = "how long each look lasts (2)"},
	{.name = "--once", .help = "one look, then end; so does --json"},
	{0},
};

static const struct cli_option host_tune_options[] = {
	{.name = "--apply", .help = "change it; without this it is only shown"},
	{.name = "--undo",
	 .help = "put back what was changed, unless somebody else changed it since"},
	{.name = "--hugepages",
	 .value = "N",
	 .kind = CLI_NUMBER,
	 .min = 1,
	 .max = 1u << 24,
	 .help = "reserve so many huge pages of 2 MiB, now and at each boot"},
	{.name = "--isolate",
	 .value = "CPUS",
	 .kind = CLI_TEXT,
	 .help = "keep these for pinned VMs, as in 2-5,8: the host's programs stay off from the next "
		 "boot on, interrupts at once"},
	{0},
};

static const struct cli_option vm_top_options[] = {
	{.name = "--sort",
	 .value = "cpu|exits|memory|name",
	 .kind = CLI_WORD,
	 .words = "cpu|exits|memory|name",
	 .help = "what comes first (cpu)"},
	{.name = "--interval",
	 .value = "SECONDS",
	 .kind = CLI_NUMBER,
	 .min = 1,
	 .max = 3600,
	 .help = "how long each look lasts (2)"},
	{.name = "--once", .help = "one look, then end; so does --json"},
	{0},
};

static const struct cli_option vm_irqs_options[] = {
	{.name = "--seconds",
	 .value = "N",
	 .kind = CLI_NUMBER,
	 .min = 1,
	 .max = 3600,
	 .help = "look twice, so far apart, and tell what came in between: by the host's handlers, and how "
		 "many notifications of posted interrupts the host had to take (PIN and PIW in "
		 "/proc/interrupts)"},
	{0},
};

static const struct cli_option vm_trace_options[] = {
	{.name = "--seconds",
	 .value = "N",
	 .kind = CLI_NUMBER,
	 .min = 1,
	 .max = 3600,
	 .help = "how long (5)"},
	{.name = "--format",
	 .value = "json|trace-cmd",
	 .kind = CLI_WORD,
	 .words = "json|trace-cmd",
	 .help = "json for Perfetto and chrome://tracing, or a trace.dat for trace-cmd and KernelShark "
		 "(json)"},
	{.name = "--output",
	 .value = "FILE",
	 .kind = CLI_FILE,
	 .help = "where to write it (standard output)"},
	{0},
};

static const struct cli_option console_options[] = {
	{.name = "--follow", .help = "go on after the input's end, until the VM ends"},
	{0},
};

static const struct cli_option vm_stop_options[] = {
	{.name = "--force", .help = "stop it where it stands, without asking the guest"},
	{.name = "--timeout",
	 .value = "S",
	 .kind = CLI_NUMBER,
	 .min = 1,
	 .max = 86400,
	 .help = "seconds to wait for the guest (60)"},
	{0},
};

static const struct cli_option vm_save_options[] = {
	{.name = "--keep", .help = "let the VM go on afterwards: the file is a copy of it"},
	{.name = "--detach-vfs",
	 .help = "first take its VFs and devices out, as vm detach does; vm restore --detach puts "
		 "those it was started with in again"},
	{0},
};

static const struct cli_option vm_restore_options[] = {
	{.name = "--name",
	 .value = "NAME",
	 .kind = CLI_TEXT,
	 .help = "another name than it was saved with"},
	{.name = "--verify",
	 .help = "compare all of its memory with its checksums first; it takes as long as reading "
		 "it"},
	{.name = "--detach", .help = "return when the VM runs; it lives on in the background"},
	{0},
};

static const struct cli_option vm_clone_options[] = {
	{.name = "--verify", .help = "compare all of the saved memory with its checksums first"},
	{.name = "--keep-macs",
	 .help = "let NICs whose address was given with mac= have that one, not one of their own"},
	{0},
};

static const struct cli_option switch_start_options[] = {
	{.name = "--config",
	 .value = "FILE",
	 .kind = CLI_FILE,
	 .help = "start as this JSON file says, not as it was before"},
	{.name = "--cpus",
	 .value = "LIST",
	 .kind = CLI_TEXT,
	 .help = "one worker on each of these CPUs, such as 2,3; any: one that the kernel moves (any)"},
	{.name = "--memory",
	 .value = "SIZE",
	 .kind = CLI_SIZE,
	 .min = 32 * MIB,
	 .max = 1024 * GIB,
	 .help = "for frames and tables (256M)"},
	{.name = "--buffers",
	 .value = "N",
	 .kind = CLI_NUMBER,
	 .min = 1024,
	 .max = 1u << 24,
	 .help = "how many frames may be inside at once (16384)"},
	{.name = "--sleep",
	 .value = "US",
	 .kind = CLI_NUMBER,
	 .max = 10000,
	 .help = "how long an idle worker may sleep; 0: it never does (200)"},
	{.name = "--hugepages", .help = "use huge pages, which NICs need"},
	{.name = "--pci", .help = "look for NICs bound to vfio-pci; needed for ports of kind pci"},
	{0},
};

static const struct cli_option switch_show_options[] = {
	{.name = "--config", .help = "the configuration, as switch start --config takes it"},
	{0},
};

static const struct cli_option switch_bridge_options[] = {
	{.name = "--add", .help = "make it"},
	{.name = "--remove", .help = "take it away; it must have no ports"},
	{.name = "--ageing",
	 .value = "SECONDS",
	 .kind = CLI_NUMBER,
	 .min = 1,
	 .max = 86400,
	 .help = "forget an address that was not heard of for so long (300)"},
	{.name = "--mac-limit",
	 .value = "N",
	 .kind = CLI_NUMBER,
	 .max = 1u << 20,
	 .help = "learn at most so many addresses; 0: as many as there is room for (0)"},
	{0},
};

#define SWITCH_RULES                                                                                  \
	{.name = "--vlan",                                                                            \
	 .value = "VLAN",                                                                             \
	 .kind = CLI_TEXT,                                                                            \
	 .help = "10: frames without a tag, all in VLAN 10; trunk:10,20-29,native=10: tagged "        \
		 "ones, and what has no tag is in 10 (native-tagged: leaves with one); tunnel:20: "   \
		 "whatever tags there are, inside VLAN 20; all: tags pass through"},                  \
		{.name = "--mac-limit",                                                               \
		 .value = "N",                                                                        \
		 .kind = CLI_NUMBER,                                                                  \
		 .max = UINT32_MAX,                                                                   \
		 .help = "learn at most so many addresses here; 0: no limit"},                        \
		{.name = "--isolated",                                                                \
		 .value = "on|off",                                                                   \
		 .kind = CLI_WORD,                                                                    \
		 .words = "on|off",                                                                   \
		 .help = "it talks only to ports that are not isolated"},                             \
		{.name = "--learn",                                                                   \
		 .value = "on|off",                                                                   \
		 .kind = CLI_WORD,                                                                    \
		 .words = "on|off",                                                                   \
		 .help = "learn the addresses behind it"},                                            \
		{.name = "--unknown",                                                                 \
		 .value = "on|off",                                                                   \
		 .kind = CLI_WORD,                                                                    \
		 .words = "on|off",                                                                   \
		 .help = "send it frames to addresses that nobody knows"},                            \
		{.name = "--storm",                                                                   \
		 .value = "KIND=N,...",                                                               \
		 .kind = CLI_TEXT,                                                                    \
		 .help = "let at most so many frames a second in, of broadcast, multicast, unknown"}, \
		{.name = "--rate",                                                                    \
		 .value = "SIZE",                                                                     \
		 .kind = CLI_SIZE,                                                                    \
		 .max = UINT64_C(1) << 40,                                                            \
		 .help = "let at most so many bytes a second in; 0: no limit"},                       \
		{.name = "--burst",                                                                   \
		 .value = "SIZE",                                                                     \
		 .kind = CLI_SIZE,                                                                    \
		 .max = UINT64_C(1) << 32,                                                            \
		 .help = "bytes at once, with --rate; 0: 10 ms of it, but at least 64K"},             \
		{.name = "--macs",                                                                    \
		 .value = "LIST|none",                                                                \
		 .kind = CLI_TEXT,                                                                    \
		 .help = "the only addresses its frames, ARP and neighbour messages may come from"},  \
	{                                                                                             \
		.name = "--ips", .value = "LIST|none", .kind = CLI_TEXT,                              \
		.help = "the only IPv4 and IPv6 addresses it may use"                                 \
	}

static const struct cli_option switch_port_options[] = {
	{.name = "--add", .help = "make it"},
	{.name = "--remove", .help = "take it away, also under traffic"},
	{.name = "--bridge",
	 .value = "BRIDGE",
	 .kind = CLI_TEXT,
	 .help = "where it belongs; left out: nowhere, until a bond takes it"},
	{.name = "--to",
	 .value = "KIND[:WHERE]",
	 .kind = CLI_TEXT,
	 .help = "what is at the other end: vhost:SOCKET (a guest), tap:INTERFACE (made), "
		 "af_packet:INTERFACE or af_xdp:INTERFACE (there), memif:SOCKET[,ID] (another "
		 "process), pci:ADDRESS (a NIC or VF on vfio-pci), vtep:IP/BITS[,gateway=IP] (where tunnels end), "
		 "vxlan:IP,vni=N,local=IP (a tunnel), pcap:IN,OUT (files), null"},
	{.name = "--server",
	 .help = "vhost, memif: make the socket and listen, instead of connecting to it"},
	{.name = "--queues",
	 .value = "N",
	 .kind = CLI_NUMBER,
	 .min = 1,
	 .max = 16,
	 .help = "pairs of queues, at most (1)"},
	{.name = "--mtu",
	 .value = "BYTES",
	 .kind = CLI_NUMBER,
	 .min = 68,
	 .max = 9600,
	 .help = "the largest payload of a frame, in and out (1500)"},
	{.name = "--size",
	 .value = "BYTES",
	 .kind = CLI_NUMBER,
	 .min = 60,
	 .max = 1518,
	 .help = "null: length of the frames it gives (64)"},
	SWITCH_RULES,
	{0},
};

static const struct cli_option switch_bond_options[] = {
	{.name = "--add", .help = "make it"},
	{.name = "--remove", .help = "take it away; its members are ports by themselves again"},
	{.name = "--bridge", .value = "BRIDGE", .kind = CLI_TEXT, .help = "where it belongs"},
	{.name = "--members",
	 .value = "PORT,...",
	 .kind = CLI_TEXT,
	 .help = "one to eight ports, best made without --bridge"},
	{.name = "--mode",
	 .value = "lacp|backup|hash",
	 .kind = CLI_WORD,
	 .words = "lacp|backup|hash",
	 .help = "lacp: those that the other end agrees on, by IEEE 802.1AX; hash: all that have a "
		 "link; in both a conversation stays with one member; backup: one at a time (lacp)"},
	{.name = "--mtu",
	 .value = "BYTES",
	 .kind = CLI_NUMBER,
	 .min = 68,
	 .max = 9600,
	 .help = "the largest payload of a frame, in and out (1500)"},
	SWITCH_RULES,
	{0},
};

static const struct cli_option switch_set_options[] = {
	SWITCH_RULES,
	{0},
};

static const struct cli_option switch_fdb_options[] = {
	{.name = "--add",
	 .value = "MAC",
	 .kind = CLI_TEXT,
	 .help = "a static address, behind --port, in --vlan"},
	{.name = "--remove", .value = "MAC", .kind = CLI_TEXT, .help = "forget one, static or not"},
	{.name = "--flush", .help = "forget all that was learned, of the bridge or of --port"},
	{.name = "--port", .value = "PORT", .kind = CLI_TEXT, .help = "the port that is meant"},
	{.name = "--vlan",
	 .value = "VLAN",
	 .kind = CLI_NUMBER,
	 .max = 4094,
	 .help = "the VLAN that is meant (0: none)"},
	{0},
};

static const struct cli_option switch_stats_options[] = {
	{.name = "--prometheus", .help = "all counters, as Prometheus reads them"},
	{0},
};

static const struct cli_option switch_mirror_options[] = {
	{.name = "--to",
	 .value = "PORT",
	 .kind = CLI_TEXT,
	 .help = "a port, which gets copies and is in no bridge any more"},
	{.name = "--off", .help = "no copies any longer"},
	{0},
};

static const struct cli_option bench_nic_options[] = {
	{.name = "--paths",
	 .value = "NAME,...",
	 .kind = CLI_TEXT,
	 .help = "only these: emulated, tap, vhost, switch, vf, native, qemu-emulated, qemu-tap"},
	{.name = "--pf",
	 .value = "PF",
	 .kind = CLI_PF,
	 .help = "the PF whose VFs are measured: VF 0 in a guest, VF 1 natively; both have to be there"},
	{.name = "--rounds",
	 .value = "N",
	 .kind = CLI_NUMBER,
	 .min = 1,
	 .max = 60,
	 .help = "trials of each work over each path, after one that warms up (5; with --brief 1)"},
	{.name = "--ms",
	 .value = "N",
	 .kind = CLI_NUMBER,
	 .min = 50,
	 .max = 600000,
	 .help = "length of a trial (1000)"},
	{.name = "--brief", .help = "fewer works, and no searches for the rate without loss"},
	{.name = "--output",
	 .value = "DIRECTORY",
	 .kind = CLI_FILE,
	 .help = "where report.json and report.html go (bench-report)"},
	{.name = "--kernel",
	 .value = "FILE",
	 .kind = CLI_FILE,
	 .help = "the guests' kernel (the host's, in /boot)"},
	{.name = "--modules",
	 .value = "DIRECTORY",
	 .kind = CLI_FILE,
	 .help = "its modules (the host's, in /lib/modules)"},
	{.name = "--qemu",
	 .value = "FILE",
	 .kind = CLI_FILE,
	 .help = "the QEMU to compare with (qemu-system-x86_64, if it is installed)"},
	{0}};

static const struct cli_option switch_capture_options[] = {
	{.name = "--output",
	 .value = "FILE",
	 .kind = CLI_FILE,
	 .required = true,
	 .help = "the pcapng file"},
	{.name = "--packets",
	 .value = "N",
	 .kind = CLI_NUMBER,
	 .min = 1,
	 .max = INT64_MAX,
	 .help = "end after so many frames"},
	{.name = "--bytes",
	 .value = "SIZE",
	 .kind = CLI_SIZE,
	 .min = 1024,
	 .max = INT64_MAX,
	 .help = "end when the file would be larger (64M)"},
	{.name = "--seconds",
	 .value = "N",
	 .kind = CLI_NUMBER,
	 .min = 1,
	 .max = 86400,
	 .help = "end after so long"},
	{.name = "--snap",
	 .value = "BYTES",
	 .kind = CLI_NUMBER,
	 .min = 14,
	 .max = 65535,
	 .help = "keep so much of each frame (all)"},
	{0},
};

const struct cli_command cli_commands[] = {
	{.noun = "host",
	 .verb = "show",
	 .run = cmd_host_show,
	 .summary = "what this machine offers to virtual machines",
	 .about =
		 "Shows the CPU and its virtualization, /dev/kvm, the IOMMU and its interrupt remapping, "
		 "memory and huge pages, the VFIO modules, NUMA nodes, the kernel's lockdown, and how "
		 "many PFs and VFs there are.",
	 .examples = EXAMPLES("sluice host show", "sluice host show --json")},
	{.noun = "host",
	 .verb = "caps",
	 .run = cmd_host_caps,
	 .options = host_caps_options,
	 .summary = "what the processor offers to a hypervisor",
	 .about =
		 "Decodes the VMX capability MSRs of an Intel processor (as root, with the module msr) or "
		 "CPUID 0x8000000a of an AMD one. A feature is used; unused, because the engine has no "
		 "use for it; off, by a parameter of KVM's module; or missing. Of each that is off or "
		 "missing and would be felt, one sentence says what that costs.",
	 .examples = EXAMPLES("sluice host caps", "sluice host caps --json",
			      "sluice host caps --from server.msrs")},
	{.noun = "host",
	 .verb = "doctor",
	 .run = cmd_host_doctor,
	 .summary = "what will stand in the way of handing devices to VMs",
	 .about =
		 "Looks at the IOMMU and its groups, interrupt remapping, lockdown and modules, and of "
		 "each PF at its driver and link, at profiles of NetworkManager and systemd that make its "
		 "VFs too, at what else is in its group and why, at resets, bus numbers, address space and "
		 "NUMA. Each finding says why it matters and what to do. Reads only; status 1 when "
		 "something is bad.",
	 .examples = EXAMPLES("sluice host doctor", "sluice host doctor --json")},
	{.noun = "host",
	 .verb = "tune",
	 .run = cmd_host_tune,
	 .changes = true,
	 .options = host_tune_options,
	 .summary = "settings of the host that VMs feel",
	 .about =
		 "Shows what should be otherwise, and why: kernel arguments for the IOMMU and for isolated "
		 "cores (a drop-in of GRUB's), huge pages, transparent huge pages of shared memory, NUMA "
		 "balancing, frequency governors, and interrupts on isolated cores. With --apply it is "
		 "changed, and kept over reboots by files in /etc/sysctl.d and /etc/tmpfiles.d. What was "
		 "there before is noted first.",
	 .examples = EXAMPLES("sluice host tune",
			      "sluice host tune --isolate 2-7 --hugepages 2048 --apply",
			      "sluice host tune --undo")},
	{.noun = "host",
	 .verb = "metrics",
	 .run = cmd_host_metrics,
	 .options = host_metrics_options,
	 .summary = "figures of the host, its PFs and VFs, and its VMs, for Prometheus",
	 .about =
		 "Prints them in Prometheus' text format, or serves them over HTTP. Of the host: "
		 "processors, memory, huge pages, faults of the IOMMU. Of PFs: link, VFs, traffic and "
		 "drops; of VFs, who has them. Of VMs: whether they run, restarts, exits by reason, "
		 "processor time, memory, requests of disks, traffic and drops of NICs. The switch has its "
		 "own (sluice switch stats --prometheus). A dashboard for Grafana and rules for alerts are "
		 "in /usr/share/sluice.",
	 .examples = EXAMPLES("sluice host metrics", "sluice host metrics --listen 127.0.0.1:9178",
			      "sluice host metrics --json")},
	{.noun = "host",
	 .verb = "top",
	 .run = cmd_host_top,
	 .options = host_top_options,
	 .summary = "the whole host right now, again and again",
	 .about =
		 "Processors, memory and faults of the IOMMU; each VM with CPU time in percent of one CPU, "
		 "exits per second that came to its process and those that the kernel handled alone; each PF "
		 "with its traffic and drops. On a terminal it goes on until Ctrl-C.",
	 .examples = EXAMPLES("sluice host top", "sluice host top --once --json")},
	{.noun = "host",
	 .verb = "report",
	 .run = cmd_host_report,
	 .operand = "FILE",
	 .operand_kind = CLI_FILE,
	 .summary = "everything that helps to find a fault, in one file",
	 .about =
		 "Writes a tar.gz with the findings of host doctor, figures, /proc and the kernel's log, "
		 "and each VM's configuration, state and log. What is named like a password, a token or a "
		 "key is left out, and so is what guests wrote to their consoles. Look before you send it.",
	 .examples = EXAMPLES("sluice host report /tmp/sluice-report.tar.gz")},
	{.noun = "pf",
	 .verb = "list",
	 .run = cmd_pf_list,
	 .summary = "the devices that can be divided",
	 .about = "Lists every PCI function with the SR-IOV capability.",
	 .examples = EXAMPLES("sluice pf list")},
	{.noun = "pf",
	 .verb = "show",
	 .run = cmd_pf_show,
	 .operand = "PF",
	 .operand_kind = CLI_PF,
	 .summary = "everything about one PF, and what its VFs can be given",
	 .about =
		 "Settings of VFs are asked of the driver and the card, and nothing is changed by it: "
		 "possible, not possible, or not known now (without root; before there are VFs; "
		 "before switchdev mode). A PF can be named by its alias, its interface, its address, "
		 "its path, or its identity: path, IDs and serial number, which outlive reboots.",
	 .examples = EXAMPLES("sluice pf show ens1f0", "sluice pf show uplink --json")},
	{.noun = "pf",
	 .verb = "set",
	 .run = cmd_pf_set,
	 .changes = true,
	 .operand = "PF",
	 .operand_kind = CLI_PF,
	 .options = pf_set_options,
	 .summary = "the mode of a card's switch; an NVMe controller's spare queues",
	 .about =
		 "Refused while a VF is held: both interrupt every VF of the PF. In switchdev mode "
		 "each VF has a representor, an interface of the host's (vf show), and settings "
		 "such as tx-max go to the card's ports. Some NVMe controllers keep the queues and "
		 "interrupts that VFs could have until they are told; that resets them, so their "
		 "disks must not be in use and they may have no VFs yet. Both are wishes: they hold after a "
		 "reboot too.",
	 .examples = EXAMPLES("sluice pf set ens1f0 --eswitch switchdev",
			      "sluice pf set 0000:02:00.0 --nvme-keep 0")},
	{.noun = "pf",
	 .verb = "alias",
	 .run = cmd_pf_alias,
	 .changes = true,
	 .operand = "PF",
	 .operand_kind = CLI_PF,
	 .more = "NAME",
	 .more_kind = CLI_TEXT,
	 .summary = "give a PF a name of your own, which it keeps",
	 .about =
		 "The name stays with the card wherever it is found again, which is said when it was "
		 "moved. When another card stands in its place, the name is refused until it is given "
		 "again. NAME '-' takes it away.",
	 .examples = EXAMPLES("sluice pf alias ens1f0 uplink", "sluice pf alias uplink -")},
	{.noun = "vf",
	 .verb = "list",
	 .run = cmd_vf_list,
	 .operand = "PF",
	 .operand_kind = CLI_PF,
	 .operand_optional = true,
	 .summary = "the VFs there are, their settings and owners",
	 .about =
		 "Lists the VFs of one PF, or of all. A VF is free, held by a VM that runs, orphaned "
		 "(its VM is gone without giving it back: see vf release), or foreign (used by "
		 "something that is not sluice; it is shown and never touched).",
	 .examples = EXAMPLES("sluice vf list", "sluice vf list ens1f0 --json")},
	{.noun = "vf",
	 .verb = "show",
	 .run = cmd_vf_show,
	 .operand = "PF/N",
	 .operand_kind = CLI_VF,
	 .summary = "everything about one VF",
	 .about =
		 "Shows state, owner, every setting that its driver and card tell, its representor "
		 "in switchdev mode, its IOMMU group, and how it can be reset.",
	 .examples = EXAMPLES("sluice vf show ens1f0/2", "sluice vf show 0000:01:10.0 --json")},
	{.noun = "vf",
	 .verb = "create",
	 .run = cmd_vf_create,
	 .changes = true,
	 .operand = "PF",
	 .operand_kind = CLI_PF,
	 .options = vf_create_options,
	 .summary = "make a PF have N VFs",
	 .about =
		 "The number of VFs can only be changed while nobody uses one of them. Without --probe no "
		 "driver of the host takes them, also none that is loaded later.",
	 .examples = EXAMPLES("sluice vf create ens1f0 --count 4",
			      "sluice vf create 0000:01:00.0 --count 4 --dry-run")},
	{.noun = "vf",
	 .verb = "destroy",
	 .run = cmd_vf_destroy,
	 .changes = true,
	 .operand = "PF",
	 .operand_kind = CLI_PF,
	 .summary = "take all VFs of a PF away",
	 .about = "Refused while one of them is in use.",
	 .examples = EXAMPLES("sluice vf destroy ens1f0")},
	{.noun = "vf",
	 .verb = "set",
	 .run = cmd_vf_set,
	 .changes = true,
	 .operand = "PF/N",
	 .operand_kind = CLI_VF,
	 .options = vf_set_options,
	 .summary = "change the settings of a VF",
	 .about = "What the device's driver cannot do is refused with the driver's own words, and "
		  "what had been set before it is put back.",
	 .examples = EXAMPLES("sluice vf set ens1f0/2 --mac 02:00:00:00:00:02 --vlan 100,qos=3",
			      "sluice vf set ens1f0/2 --spoof-check off --trust on")},
	{.noun = "vf",
	 .verb = "release",
	 .run = cmd_vf_release,
	 .changes = true,
	 .operand = "PF/N",
	 .operand_kind = CLI_VF,
	 .summary = "take a VF back from a VM that is gone",
	 .about =
		 "Gives an orphaned VF, or a whole device named by its address, its driver and settings back. "
		 "Refused while its VM lives.",
	 .examples = EXAMPLES("sluice vf release ens1f0/2", "sluice vf release 0000:02:00.0")},
	{.noun = "vf",
	 .verb = "adopt",
	 .run = cmd_vf_adopt,
	 .changes = true,
	 .operand = "PF/N",
	 .operand_kind = CLI_VF,
	 .summary = "take a foreign VF in, as it is",
	 .about =
		 "What Sluice did not make or bind is foreign: it is shown, and never touched. This "
		 "takes such a VF in: its driver, an address or VLAN that somebody set, and the number "
		 "of VFs are wished from now on, also after a reboot. Refused while a process has it "
		 "open.",
	 .examples = EXAMPLES("sluice vf adopt ens1f0/2")},
	{.noun = "vf",
	 .verb = "attach",
	 .run = cmd_vf_attach,
	 .changes = true,
	 .operand = "VM",
	 .operand_kind = CLI_VM,
	 .more = "PF[/N][:KEY=VALUE,...]",
	 .more_kind = CLI_VF,
	 .options = vf_attach_options,
	 .summary = "give a VF to a VM, running or defined",
	 .about =
		 "Prepares the VF as vm run does, with the same settings, and plugs it into a free slot "
		 "of the VM. Its first device costs more time than later ones, since all of its memory "
		 "must be there for the device; vm run --prefault has that done beforehand, in the "
		 "background. Of a VM that does not run, the definition is changed (--config).",
	 .examples = EXAMPLES("sluice vf attach web ens1f0",
			      "sluice vf attach web ens1f0/2:mac=02:00:00:00:00:02,vlan=100")},
	{.noun = "vf",
	 .verb = "detach",
	 .run = cmd_vf_detach,
	 .changes = true,
	 .operand = "VM",
	 .operand_kind = CLI_VM,
	 .more = "PF/N",
	 .more_kind = CLI_VF,
	 .options = detach_options,
	 .summary = "take a VF from a VM, running or defined",
	 .about = DETACH_ABOUT,
	 .examples = EXAMPLES("sluice vf detach web ens1f0/2",
			      "sluice vf detach web 0000:01:10.0 --timeout 60")},
	{.noun = "iommu",
	 .verb = "show",
	 .run = cmd_iommu_show,
	 .summary = "the VT-d units, as the firmware describes them",
	 .about =
		 "Lists the firmware's DMAR table: every unit (DRHD), the devices it stands before, "
		 "memory that firmware keeps for its own DMA (RMRR), and what is said about device "
		 "TLBs and NUMA. A table with mistakes is refused, and the mistake named.",
	 .examples = EXAMPLES("sluice iommu show", "sluice iommu show --json")},
	{.noun = "iommu",
	 .verb = "groups",
	 .run = cmd_iommu_groups,
	 .operand = "ADDRESS",
	 .operand_kind = CLI_BDF,
	 .operand_optional = true,
	 .summary = "IOMMU groups, their members, drivers and reasons",
	 .about =
		 "A group goes to a VM as a whole, and only when no member of it is held by a host "
		 "driver. With the address of a device, shows its group alone.",
	 .examples = EXAMPLES("sluice iommu groups", "sluice iommu groups 0000:01:10.0")},
	{.noun = "iommu",
	 .verb = "explain",
	 .run = cmd_iommu_explain,
	 .operand = "ADDRESS",
	 .operand_kind = CLI_BDF,
	 .summary = "why a device is in its group, and what it can reach",
	 .about =
		 "Follows the way from the device to the root and tells of every hop whether it keeps "
		 "requests apart (ACS), why other devices are in the same group, which VT-d unit "
		 "stands before the device, and which memory it reaches.",
	 .examples = EXAMPLES("sluice iommu explain 0000:01:10.0")},
	{.noun = "iommu",
	 .verb = "irqs",
	 .run = cmd_iommu_irqs,
	 .summary = "interrupts of all devices that VMs have, remapped or posted",
	 .about = IRQS_ABOUT,
	 .examples = EXAMPLES("sluice iommu irqs", "sluice iommu irqs --json")},
	{.noun = "iommu",
	 .verb = "audit",
	 .run = cmd_iommu_audit,
	 .options = iommu_audit_options,
	 .summary = "prove from the hardware's tables what devices reach",
	 .about =
		 "Follows the tables that the VT-d units use now, and compares: every function of a VM "
		 "reaches exactly the memory that its VM mapped, nothing of the host or another VM; "
		 "its interrupts come from its own entries; nothing is left of what was given back; "
		 "no two owners share a domain. The exit status is 0 only when all of that holds.\n\n"
		 "Registers are read from /dev/mem, which most kernels allow only when booted with "
		 "iomem=relaxed, and tables from /proc/kcore. A snapshot holds both, and what the VMs "
		 "told, and can be audited elsewhere.",
	 .examples = EXAMPLES("sluice iommu audit", "sluice iommu audit --snapshot host.audit",
			      "sluice iommu audit --offline host.audit --json")},
	{.noun = "iommu",
	 .verb = "dump",
	 .run = cmd_iommu_dump,
	 .options = iommu_offline_options,
	 .summary = "registers, contexts and interrupt entries of the VT-d units",
	 .about =
		 "Shows every unit's capabilities in words, every function's context entry and every "
		 "interrupt remapping entry, from the live tables or a snapshot.",
	 .examples = EXAMPLES("sluice iommu dump", "sluice iommu dump --offline host.audit")},
	{.noun = "iommu",
	 .verb = "walk",
	 .run = cmd_iommu_walk,
	 .operand = "ADDRESS",
	 .operand_kind = CLI_BDF,
	 .more = "IOVA",
	 .more_kind = CLI_TEXT,
	 .options = iommu_offline_options,
	 .summary = "where an I/O address of a device leads, step by step",
	 .about =
		 "Follows one address through the device's page table, entry by entry, as the hardware "
		 "would. The exit status is 1 when the access would be blocked.",
	 .examples = EXAMPLES("sluice iommu walk 0000:01:10.0 0x100000")},
	{.noun = "iommu",
	 .verb = "release",
	 .run = cmd_iommu_release,
	 .changes = true,
	 .summary = "switch off IOMMU units that a killed driver left on",
	 .about =
		 "Where Sluice drives a unit itself, a kill -9 leaves it on, with tables that are kept in "
		 "hugepages until it is off. This keeps the devices that nobody drives any more from DMA, "
		 "switches such units off and gives the hugepages back; the next driver of a unit does "
		 "the same by itself, and iommu guard does it at once.",
	 .examples = EXAMPLES("sluice iommu release --dry-run", "sluice iommu release")},
	{.noun = "iommu",
	 .verb = "guard",
	 .run = cmd_iommu_guard,
	 .changes = true,
	 .operand = "ADDRESS",
	 .operand_kind = CLI_BDF,
	 .more = "PROGRAM...",
	 .more_kind = CLI_FILE,
	 .summary = "run a program that drives an IOMMU unit, and clean up when it dies",
	 .about =
		 "Runs PROGRAM with its arguments, which drives the VT-d unit in front of the device at "
		 "ADDRESS with Sluice's own driver. When the program has ended and left the unit on, "
		 "whatever killed it, the device is kept from DMA, the unit is switched off and its "
		 "hugepages are given back. The status is the program's, or 1 when a signal ended it. A "
		 "request to end (SIGTERM, SIGHUP) is passed on. Killed itself, the guard leaves the "
		 "program alone; iommu release is then what remains.",
	 .examples = EXAMPLES("sluice iommu guard 0000:00:03.0 -- ./driver --verbose")},
	{.noun = "vm",
	 .verb = "run",
	 .run = cmd_vm_run,
	 .changes = true,
	 .operand = "NAME",
	 .operand_kind = CLI_TEXT,
	 .operand_optional = true,
	 .options = vm_run_options,
	 .summary = "start a virtual machine",
	 .about =
		 "Without --detach the guest's serial line is on this terminal. Ctrl-C presses the "
		 "guest's power button, a second Ctrl-C stops it where it stands. Ctrl-] is a prefix: "
		 "followed by c it sends Ctrl-C to the guest, by q it stops the guest at once, and "
		 "typed twice it sends itself. The exit status is 0 when the guest powered itself "
		 "off, and 1 otherwise.\n\n"
		 "A disk is locked: two VMs that write to one image damage it. When the host runs out "
		 "of space, writes wait instead of failing (vm stat says so) and go on by themselves. "
		 "That is so for raw images; an image of another format is read by an engine of QEMU's, "
		 "which tells the guest of an I/O error then. An engine or a switch that dies may come "
		 "back; requests wait for it.\n\n"
		 "VFs and devices are prepared for the VM, and given back with their former drivers "
		 "and settings when it ends.\n\n"
		 "With an exit port, a value that the guest writes there ends the VM, and the exit "
		 "status is (value * 2 + 1) modulo 256, always odd; a VM that then ends in another bad "
		 "way, or does not start, gives 4.",
	 .examples = EXAMPLES(
		 "sluice vm run --kernel /boot/vmlinuz --initrd initrd.img --append "
		 "console=ttyS0 --vf ens1f0",
		 "sluice vm run web --kernel vmlinuz --cpus 4 --memory 4G,pages=2m "
		 "--vf ens1f0/2:mac=02:00:00:00:00:02,vlan=100 --detach",
		 "sluice vm run db --kernel vmlinuz --cpus 2 --net "
		 "tap,bridge=br0,queues=2 --watchdog reset --detach",
		 "sluice vm run db --kernel vmlinuz --append root=/dev/vda1 "
		 "--disk db.img,serial=DB1,queues=4 --disk tools.img,ro",
		 "sluice vm run web --kernel vmlinuz --append root=/dev/vda1 "
		 "--disk web.qcow2,format=qcow2 --net vhost-user=/run/switch/web.sock,queues=2",
		 "sluice vm run --kernel msr.flat --initrd environment --memory 256M",
		 "sluice vm run debian --firmware uefi --disk debian.img --memory 1G")},
	{.noun = "vm",
	 .verb = "define",
	 .run = cmd_vm_define,
	 .changes = true,
	 .operand = "NAME",
	 .operand_kind = CLI_TEXT,
	 .options = VM_OPTIONS,
	 .summary = "keep how a VM is to be run, without running it",
	 .about =
		 "Takes the options of vm run, and checks their text; whether files, VFs and memory are there is "
		 "looked at when the VM is started (vm start --dry-run asks beforehand). Paths mean what they "
		 "mean in the folder where the VM is defined. A definition of that name is replaced; a VM that "
		 "runs goes on as it is, and is as defined when it is started again.",
	 .examples =
		 EXAMPLES("sluice vm define web --kernel vmlinuz --memory 1G --vf fast "
			  "--net tap,bridge=br0",
			  "sluice vm define debian --firmware uefi --disk debian.img --memory 1G")},
	{.noun = "vm",
	 .verb = "undefine",
	 .run = cmd_vm_undefine,
	 .changes = true,
	 .operand = "NAME",
	 .operand_kind = CLI_VM,
	 .summary = "forget how a VM is to be run",
	 .about = "Its disks stay. When it runs, it goes on, and is gone when it ends.",
	 .examples = EXAMPLES("sluice vm undefine web")},
	{.noun = "vm",
	 .verb = "start",
	 .run = cmd_vm_start,
	 .changes = true,
	 .operand = "NAME",
	 .operand_kind = CLI_VM,
	 .options = vm_start_options,
	 .summary = "start a VM that is defined",
	 .about = "As vm run does, with the options that it was defined with.",
	 .examples = EXAMPLES("sluice vm start web --detach", "sluice vm start web --dry-run")},
	{.noun = "vm",
	 .verb = "list",
	 .run = cmd_vm_list,
	 .summary = "the VMs that run, and what is left of those that died",
	 .about =
		 "A VM is running; paused; saving; starting; suspended, when it was saved into a "
		 "file (vm restore); crashed, with the way it ended, while its log is kept (vm stop "
		 "forgets it); or orphaned, when it died and its devices were not given back.",
	 .examples = EXAMPLES("sluice vm list", "sluice vm list --json")},
	{.noun = "vm",
	 .verb = "show",
	 .run = cmd_vm_show,
	 .operand = "NAME",
	 .operand_kind = CLI_VM,
	 .summary = "how a VM was started, its devices and DMA mappings",
	 .about = "Shows the VM's configuration, its IOMMU groups and what its devices may reach.",
	 .examples = EXAMPLES("sluice vm show web")},
	{.noun = "vm",
	 .verb = "stat",
	 .run = cmd_vm_stat,
	 .operand = "NAME",
	 .operand_kind = CLI_VM,
	 .options = vm_stat_options,
	 .summary = "exits, interrupts and memory of a running VM",
	 .about =
		 "Counts since the VM's start (or its last reset): exits by reason and by device, the "
		 "engine's own numbers, interrupts per vector of each device it was given, and the memory that "
		 "the VM's process uses beside the guest's RAM.\n\n"
		 "The path of an interrupt is remapped, when it comes to the host through the IOMMU and to the "
		 "guest by an eventfd; host, the same without remapping; emulated, when it is a level that passes "
		 "through us; or postable, where the host's handler has taken none and processor and IOMMU can "
		 "put it into the guest's APIC without the host. Whether they do, a guest that runs cannot tell "
		 "and no counter says; vm irqs reads the IOMMU's own entry.",
	 .examples = EXAMPLES("sluice vm stat web", "sluice vm stat web --json",
			      "sluice vm stat web --timing on", "sluice vm stat web --exits 5")},
	{.noun = "vm",
	 .verb = "balloon",
	 .run = cmd_vm_balloon,
	 .changes = true,
	 .operand = "NAME",
	 .operand_kind = CLI_VM,
	 .more = "SIZE",
	 .more_kind = CLI_TEXT,
	 .summary = "ask a VM to make do with less memory",
	 .about =
		 "The guest keeps SIZE of the memory that it was started with and gives the rest back "
		 "to the host, as far as it can; its whole size gives all of it back to the guest. "
		 "Needs a VM started with --balloon. What has come of it is in vm stat.",
	 .examples = EXAMPLES("sluice vm balloon web 512M", "sluice vm balloon web 4G")},
	{.noun = "vm",
	 .verb = "link",
	 .run = cmd_vm_link,
	 .changes = true,
	 .operand = "NAME",
	 .operand_kind = CLI_VM,
	 .more = "TAP WAY...",
	 .more_kind = CLI_TEXT,
	 .summary = "pull the cable of a VM's emulated NIC, or plug it in",
	 .about =
		 "WAY is up or down: the NIC on that tap, which has model=e1000e, tells its guest that "
		 "the link came back, or went. While it is down nothing is sent, and what arrives is dropped.",
	 .examples = EXAMPLES("sluice vm link web web-n0 down", "sluice vm link web web-n0 up")},
	{.noun = "vm",
	 .verb = "top",
	 .run = cmd_vm_top,
	 .options = vm_top_options,
	 .summary = "all VMs that run, and what they use right now",
	 .about =
		 "Per VM: CPU time in percent of one CPU, exits per second that came to its process and those "
		 "that the kernel handled alone, and the memory that is present. On a terminal it "
		 "goes on until Ctrl-C.",
	 .examples = EXAMPLES("sluice vm top", "sluice vm top --sort exits --interval 5",
			      "sluice vm top --once --json")},
	{.noun = "vm",
	 .verb = "trace",
	 .run = cmd_vm_trace,
	 .operand = "NAME",
	 .operand_kind = CLI_VM,
	 .options = vm_trace_options,
	 .summary = "every exit of a running VM for some seconds",
	 .about =
		 "Writes the exits that came to the VM's process, each with its CPU, its duration and the device "
		 "that it met, as JSON that Perfetto (ui.perfetto.dev) and chrome://tracing show. Times "
		 "are those of the host's monotonic clock, as trace-cmd record -C mono has them.",
	 .examples = EXAMPLES("sluice vm trace web --seconds 10 --output web.json",
			      "sluice vm trace web --format trace-cmd --output web.dat",
			      "trace-cmd report -i web.dat")},
	{.noun = "vm",
	 .verb = "irqs",
	 .run = cmd_vm_irqs,
	 .operand = "NAME",
	 .operand_kind = CLI_VM,
	 .options = vm_irqs_options,
	 .summary = "how the interrupts of a VM's devices reach it",
	 .about = IRQS_ABOUT,
	 .examples = EXAMPLES("sluice vm irqs web", "sluice vm irqs web --json",
			      "sluice vm irqs web --seconds 5")},
	{.noun = "vm",
	 .verb = "maps",
	 .run = cmd_vm_maps,
	 .operand = "NAME",
	 .operand_kind = CLI_VM,
	 .summary = "what a VM's devices may reach through the IOMMU",
	 .about =
		 "Lists the DMA mappings: the I/O address, which is the guest's own physical address, "
		 "the size, and what lies there.",
	 .examples = EXAMPLES("sluice vm maps web")},
	{.noun = "vm",
	 .verb = "stop",
	 .run = cmd_vm_stop,
	 .changes = true,
	 .operand = "NAME",
	 .operand_kind = CLI_VM,
	 .options = vm_stop_options,
	 .summary = "ask a VM to power off, or make it",
	 .about = "Presses the guest's power button and waits until the VM is gone and its devices "
		  "are back. Of a VM that died, gives back what it held and removes its traces.",
	 .examples = EXAMPLES("sluice vm stop web", "sluice vm stop web --force")},
	{.noun = "vm",
	 .verb = "attach",
	 .run = cmd_vm_attach,
	 .changes = true,
	 .operand = "NAME",
	 .operand_kind = CLI_VM,
	 .options = vm_attach_options,
	 .summary = "give devices to a VM, running or defined",
	 .about =
		 "Plugs each device into a free slot of the VM (vm run --hotplug-ports), in the "
		 "order given, and stops at the first that cannot be attached. Of a VM that does not run, "
		 "the definition is changed (--config): from its next start on it has them. A pool's "
		 "name is kept as such, and the VF is chosen at each start; which one it would be now "
		 "is told, and why.",
	 .examples = EXAMPLES("sluice vm attach web --vf ens1f0/2:mac=02:00:00:00:00:02",
			      "sluice vm attach web --disk /srv/data.img,serial=DATA",
			      "sluice vm attach web --device 0000:02:00.0",
			      "sluice vm attach web --vf fast --live --config")},
	{.noun = "vm",
	 .verb = "detach",
	 .run = cmd_vm_detach,
	 .changes = true,
	 .operand = "NAME",
	 .operand_kind = CLI_VM,
	 .more = "DEVICE",
	 .more_kind = CLI_VF,
	 .options = detach_options,
	 .summary = "take a device from a VM, running or defined",
	 .about =
		 "DEVICE is a VF, the address of a whole device, or the path or serial number of a "
		 "disk.\n\n" DETACH_ABOUT,
	 .examples = EXAMPLES("sluice vm detach web ens1f0/2", "sluice vm detach web /srv/data.img",
			      "sluice vm detach web 0000:02:00.0 --timeout 60")},
	{.noun = "vm",
	 .verb = "cpus",
	 .run = cmd_vm_cpus,
	 .changes = true,
	 .operand = "NAME",
	 .operand_kind = CLI_VM,
	 .more = "N",
	 .more_kind = CLI_NUMBER,
	 .options = guest_time_options,
	 .summary = "how many CPUs a running VM has",
	 .about = "Up to what the VM was started for (vm run --cpus N,max=M). CPUs that come are "
		  "announced; whether they are used is up to the guest (udev, or "
		  "/sys/devices/system/cpu/cpuN/online). CPUs that shall go are asked for, and the "
		  "guest lets go of them or not.",
	 .examples = EXAMPLES("sluice vm cpus web 4", "sluice vm cpus web 1 --timeout 60")},
	{.noun = "vm",
	 .verb = "memory",
	 .run = cmd_vm_memory,
	 .changes = true,
	 .operand = "NAME",
	 .operand_kind = CLI_VM,
	 .more = "SIZE",
	 .more_kind = CLI_TEXT,
	 .options = guest_time_options,
	 .summary = "how much memory a running VM has",
	 .about =
		 "From what it was started with up to its maximum (vm run --memory SIZE,max=SIZE). "
		 "The guest takes what comes block by block, and gives back what it can free; what is "
		 "given back is the host's again at once. Devices of the host reach what the guest has "
		 "taken, and nothing else.",
	 .examples =
		 EXAMPLES("sluice vm memory web 2G", "sluice vm memory web 512M --timeout 120")},
	{.noun = "vm",
	 .verb = "pause",
	 .run = cmd_vm_pause,
	 .changes = true,
	 .operand = "NAME",
	 .operand_kind = CLI_VM,
	 .summary = "let a VM stand still",
	 .about =
		 "No CPU of the VM runs from then on, its devices are silent and its clocks stand: "
		 "when it is resumed, it does not notice that time has passed (its wall clock is "
		 "behind by that much).",
	 .examples = EXAMPLES("sluice vm pause web")},
	{.noun = "vm",
	 .verb = "resume",
	 .run = cmd_vm_resume,
	 .changes = true,
	 .operand = "NAME",
	 .operand_kind = CLI_VM,
	 .summary = "let a paused VM go on",
	 .about = "What is running already stays so.",
	 .examples = EXAMPLES("sluice vm resume web")},
	{.noun = "vm",
	 .verb = "reset",
	 .run = cmd_vm_reset,
	 .changes = true,
	 .operand = "NAME",
	 .operand_kind = CLI_VM,
	 .summary = "start a VM's guest again, without asking it",
	 .about =
		 "As a reset button: memory and devices are as after power-on, and the guest loses "
		 "what it has not written to its disks.",
	 .examples = EXAMPLES("sluice vm reset web")},
	{.noun = "vm",
	 .verb = "powerdown",
	 .run = cmd_vm_powerdown,
	 .changes = true,
	 .operand = "NAME",
	 .operand_kind = CLI_VM,
	 .summary = "press a VM's power button",
	 .about = "Returns at once; the guest decides what it does about it. vm stop waits for it.",
	 .examples = EXAMPLES("sluice vm powerdown web")},
	{.noun = "vm",
	 .verb = "kill",
	 .run = cmd_vm_kill,
	 .changes = true,
	 .operand = "NAME",
	 .operand_kind = CLI_VM,
	 .summary = "stop a VM where it stands",
	 .about =
		 "The same as vm stop --force: the guest is not asked, its devices are given back.",
	 .examples = EXAMPLES("sluice vm kill web")},
	{.noun = "vm",
	 .verb = "save",
	 .run = cmd_vm_save,
	 .changes = true,
	 .operand = "NAME",
	 .operand_kind = CLI_VM,
	 .more = "FILE",
	 .more_kind = CLI_FILE,
	 .options = vm_save_options,
	 .summary = "write a running VM into a file, to go on from there later",
	 .about =
		 "The VM stands still while its memory and state are written, and ends when the file "
		 "is whole and on the disk; then it is suspended, until vm restore. A file of that "
		 "name is replaced in one step: whatever dies on the way, the old one or the new one "
		 "is there. Memory that is all zeroes takes no room. Disks are not in the file: they "
		 "must stay as they are until the VM is restored.\n\n"
		 "A VM that was given a VF or a device of the host is refused: its state cannot be "
		 "known.",
	 .examples = EXAMPLES("sluice vm save web /var/lib/sluice/web.vm",
			      "sluice vm save base base.vm --keep")},
	{.noun = "vm",
	 .verb = "restore",
	 .run = cmd_vm_restore,
	 .changes = true,
	 .operand = "FILE",
	 .operand_kind = CLI_FILE,
	 .options = vm_restore_options,
	 .summary = "go on with a VM that was saved",
	 .about =
		 "The VM runs at once; its memory is read from the file as it is needed, so the file "
		 "must stay while it runs. Where the host lacks what the guest's CPU has shown it, "
		 "the VM is refused and what is missing is named. The kernel is only needed when the "
		 "guest reboots.\n\n"
		 "The guest's clocks go on where they stood, so its date lags by the time that it was "
		 "away. What it is told: its VM generation ID is another one, for which Linux makes its "
		 "random numbers anew and sends an event (NEW_VMGENID) to user space; and its virtio NICs "
		 "announce themselves to the network. The host's time it can read at any moment from "
		 "/dev/ptp0 (ptp_kvm), where the host's clock is the TSC; chrony takes that as a source.",
	 .examples = EXAMPLES("sluice vm restore /var/lib/sluice/web.vm --detach",
			      "sluice vm restore base.vm --name test --verify")},
	{.noun = "vm",
	 .verb = "clone",
	 .run = cmd_vm_clone,
	 .changes = true,
	 .operand = "FILE",
	 .operand_kind = CLI_FILE,
	 .more = "NAME...",
	 .more_kind = CLI_TEXT,
	 .options = vm_clone_options,
	 .summary = "start many VMs from one saved one",
	 .about =
		 "Each goes on where the saved VM was, under its own name and in the background. They "
		 "share the memory that none of them has changed: vm stat shows each one's part "
		 "of it. Each has a generation ID of its own, and its NICs addresses made of its name; "
		 "a guest goes on using the address that it knows until it binds the NIC's driver again, "
		 "which it best does when it hears of the new ID (see vm restore).",
	 .examples = EXAMPLES("sluice vm clone base.vm worker-1 worker-2 worker-3")},
	{.noun = "vm",
	 .verb = "events",
	 .run = cmd_vm_events,
	 .operand = "NAME",
	 .operand_kind = CLI_VM,
	 .operand_optional = true,
	 .summary = "what happens to VMs, as it happens",
	 .about =
		 "Prints a line for each change of state, each device plugged or ejected, guest "
		 "panic, I/O error and watchdog, of one VM or of all that run, until they have ended. "
		 "With --json, one object per line.",
	 .examples = EXAMPLES("sluice vm events", "sluice vm events web --json")},
	{.noun = "vm",
	 .verb = "console",
	 .run = cmd_vm_console,
	 .operand = "NAME",
	 .operand_kind = CLI_VM,
	 .options = console_options,
	 .summary = "the serial line of a running VM",
	 .about =
		 "Shows the last 64 KiB of the guest's output and what follows, and types into it. "
		 "Ctrl-] leaves; the VM runs on. Where the input is no terminal and ends, it leaves "
		 "when the guest has taken all of it and has then said nothing for a second or two.",
	 .examples = EXAMPLES("sluice vm console web", "echo uptime | sluice vm console web",
			      "sluice vm console web --follow")},
	{.noun = "pool",
	 .verb = "list",
	 .run = cmd_pool_list,
	 .summary = "the pools and what their VFs have in common",
	 .about = "Which VFs meet a pool's conditions is looked up anew for each VM.",
	 .examples = EXAMPLES("sluice pool list")},
	{.noun = "pool",
	 .verb = "set",
	 .run = cmd_pool_set,
	 .changes = true,
	 .operand = "NAME",
	 .operand_kind = CLI_TEXT,
	 .options = pool_set_options,
	 .summary = "make a pool, or change its conditions",
	 .about =
		 "A pool's name can stand wherever a VF is asked for. The VM gets the free VF that fits "
		 "best: on the NUMA node of its pinned CPUs where there is one, with a link, on the PF "
		 "that has most free ones. The choice is told.",
	 .examples = EXAMPLES("sluice pool set fast --speed 10000",
			      "sluice pool set near --numa 0 --driver ice")},
	{.noun = "pool",
	 .verb = "remove",
	 .run = cmd_pool_remove,
	 .changes = true,
	 .operand = "NAME",
	 .operand_kind = CLI_TEXT,
	 .summary = "forget a pool",
	 .about = "VMs that got a VF from it keep it.",
	 .examples = EXAMPLES("sluice pool remove fast")},
	{.noun = "plan",
	 .verb = "",
	 .run = cmd_plan,
	 .options = plan_options,
	 .summary = "the steps from the machine as it is to the machine as it is wished",
	 .about =
		 "What /etc/sluice/host.yaml says, if there is one, of functions, pools, the switch and VMs; and "
		 "everything that vf create, vf set, vf adopt and apply have wished, which is kept and "
		 "held here against what is found. Each step says what it does to who uses the VF "
		 "(safe, disruptive, destroys VFs) and who is in the way. Nothing is changed.",
	 .examples = EXAMPLES("sluice plan", "sluice plan --pf ens1f0 --json")},
	{.noun = "apply",
	 .verb = "",
	 .run = cmd_apply,
	 .changes = true,
	 .options = apply_options,
	 .summary = "make the machine as it is wished",
	 .about =
		 "What a killed command left half done is finished or undone, what dead VMs had is taken "
		 "back, and the steps of `sluice plan` are done, each read back. When one fails, those of "
		 "its PF are undone, newest first; other PFs go on. A plan that takes VFs away or that "
		 "somebody feels needs --yes. Nothing is ever taken from under a VM.\n\n"
		 "A host file is read first: /etc/sluice/host.yaml, or that of --from. A mistake in it is told "
		 "with its line before anything is done. Then functions, pools, the switch and VMs become as it "
		 "says; what it does not name stays. What fails is told, and does not keep the rest. Applied "
		 "again, it changes nothing.",
	 .examples = EXAMPLES("sluice apply", "sluice apply --yes --pf ens1f0",
			      "sluice apply --from host.yaml --dry-run")},
	{.noun = "assert",
	 .verb = "",
	 .run = cmd_assert,
	 .options = assert_options,
	 .summary = "exit status 0 if the machine is as it is wished, else what is not",
	 .about = "Looks at wishes, leftovers of killed commands and of dead VMs. Changes nothing.",
	 .examples = EXAMPLES("sluice assert", "sluice assert --json")},
	{.noun = "export",
	 .verb = "",
	 .run = cmd_export,
	 .options = export_options,
	 .summary = "print the host as a file, for apply",
	 .about =
		 "Functions, pools, the switch and the VMs that are defined, as YAML (or JSON). On another machine of "
		 "the same kind, or on this one after a mistake, apply --from brings it back.",
	 .examples = EXAMPLES("sluice export", "sluice export --found")},
	{.noun = "switch",
	 .verb = "start",
	 .run = cmd_switch_start,
	 .changes = true,
	 .options = switch_start_options,
	 .summary = "start the switch",
	 .about =
		 "Starts sluice-switch in the background, as it was when it ran last. What is given "
		 "here is kept for the next start. Guests reconnect by themselves. Huge pages are needed "
		 "only for NICs.",
	 .examples = EXAMPLES("sluice switch start",
			      "sluice switch start --cpus 2,3 --memory 1G "
			      "--hugepages --pci",
			      "sluice switch start --config switch.json")},
	{.noun = "switch",
	 .verb = "stop",
	 .run = cmd_switch_stop,
	 .changes = true,
	 .summary = "stop the switch",
	 .about = "Its configuration is kept. Guests wait for it to come back.",
	 .examples = EXAMPLES("sluice switch stop")},
	{.noun = "switch",
	 .verb = "show",
	 .run = cmd_switch_show,
	 .options = switch_show_options,
	 .summary = "workers, bridges and ports",
	 .about = "Shows what the switch consists of and who is at the other end of each port.",
	 .examples = EXAMPLES("sluice switch show", "sluice switch show --json",
			      "sluice switch show --config")},
	{.noun = "switch",
	 .verb = "bridge",
	 .run = cmd_switch_bridge,
	 .changes = true,
	 .operand = "BRIDGE",
	 .operand_kind = CLI_TEXT,
	 .options = switch_bridge_options,
	 .summary = "make, change or take away a bridge",
	 .about = "A bridge joins ports: it learns which addresses are behind which of them.",
	 .examples =
		 EXAMPLES("sluice switch bridge br0 --add", "sluice switch bridge br0 --ageing 60",
			  "sluice switch bridge br0 --remove")},
	{.noun = "switch",
	 .verb = "port",
	 .run = cmd_switch_port,
	 .changes = true,
	 .operand = "PORT",
	 .operand_kind = CLI_TEXT,
	 .options = switch_port_options,
	 .summary = "make, show or take away a port",
	 .about =
		 "Ports come and go while others pass frames. Without --add or --remove the port is "
		 "shown. As client (the default) a vhost port connects to the guest's socket, and "
		 "again whenever the guest or the switch was away.",
	 .examples =
		 EXAMPLES("sluice switch port web --add --bridge br0 --to vhost:/run/web.sock "
			  "--vlan 10",
			  "sluice switch port up0 --add --bridge br0 --to pci:0000:01:00.0 --vlan "
			  "trunk:all",
			  "sluice switch port web", "sluice switch port web --remove")},
	{.noun = "switch",
	 .verb = "bond",
	 .run = cmd_switch_bond,
	 .changes = true,
	 .operand = "BOND",
	 .operand_kind = CLI_TEXT,
	 .options = switch_bond_options,
	 .summary = "make, show or take away a bond of uplinks",
	 .about =
		 "Several ports that are one. Links are looked at ten times a second. In mode backup "
		 "the addresses of the bridge are announced when another member takes over. "
		 "Without --add or --remove its members are shown, and how far they are.",
	 .examples = EXAMPLES("sluice switch bond uplink --add --bridge br0 --members up0,up1 "
			      "--mode lacp --vlan trunk:all",
			      "sluice switch bond uplink", "sluice switch bond uplink --remove")},
	{.noun = "switch",
	 .verb = "set",
	 .run = cmd_switch_set,
	 .changes = true,
	 .operand = "PORT",
	 .operand_kind = CLI_TEXT,
	 .options = switch_set_options,
	 .summary = "change what holds at a port",
	 .about = "What is not named stays as it is. No frame is lost by the change itself.",
	 .examples =
		 EXAMPLES("sluice switch set web --vlan 20",
			  "sluice switch set web --macs 02:00:00:00:00:01 --ips 10.0.0.1,fd00::1",
			  "sluice switch set web --rate 100M --storm broadcast=100,unknown=100")},
	{.noun = "switch",
	 .verb = "fdb",
	 .run = cmd_switch_fdb,
	 .changes = true,
	 .operand = "BRIDGE",
	 .operand_kind = CLI_TEXT,
	 .operand_optional = true,
	 .options = switch_fdb_options,
	 .summary = "which addresses are behind which port",
	 .about =
		 "Lists them, of one bridge or of all; or adds a static one, removes one, or forgets "
		 "all that was learned.",
	 .examples = EXAMPLES("sluice switch fdb", "sluice switch fdb br0 --json",
			      "sluice switch fdb br0 --add 02:00:00:00:00:01 --port web --vlan 10",
			      "sluice switch fdb --flush --port web")},
	{.noun = "switch",
	 .verb = "stats",
	 .run = cmd_switch_stats,
	 .operand = "PORT",
	 .operand_kind = CLI_TEXT,
	 .operand_optional = true,
	 .options = switch_stats_options,
	 .summary = "counters, and why frames were dropped",
	 .about =
		 "Every frame that is not delivered is counted by its reason: where it came in, when "
		 "the switch decided so; where it would have left (tx-...), when the receiver could "
		 "not take it.",
	 .examples = EXAMPLES("sluice switch stats", "sluice switch stats web --json",
			      "sluice switch stats --prometheus")},
	{.noun = "switch",
	 .verb = "mirror",
	 .run = cmd_switch_mirror,
	 .changes = true,
	 .operand = "PORT",
	 .operand_kind = CLI_TEXT,
	 .options = switch_mirror_options,
	 .summary = "copy what passes a port to another one",
	 .about = "Copies of all frames in both directions, as they are outside the switch.",
	 .examples =
		 EXAMPLES("sluice switch mirror web --to probe", "sluice switch mirror web --off")},
	{.noun = "switch",
	 .verb = "capture",
	 .run = cmd_switch_capture,
	 .operand = "PORT",
	 .operand_kind = CLI_TEXT,
	 .options = switch_capture_options,
	 .summary = "frames of a port into a pcapng file",
	 .about =
		 "Until a limit is reached, or Ctrl-C. Frames that come faster than the file can be "
		 "written are counted as missed; the switch does not wait for it.",
	 .examples =
		 EXAMPLES("sluice switch capture web --output web.pcapng --packets 100",
			  "sluice switch capture web --output web.pcapng --seconds 10 --snap 96")},
	{.noun = "bench",
	 .verb = "nic",
	 .run = cmd_bench_nic,
	 .options = bench_nic_options,
	 .summary = "measure every path that a packet can take between a guest and this host",
	 .about =
		 "Small guests, all with the same program and nothing else, work over an emulated NIC, "
		 "virtio on a tap, on vhost-net and on the switch, and a VF; the host does the same over a "
		 "VF of its own, and QEMU over its devices, where it is installed. Trials of all paths are "
		 "interleaved; medians and spreads are of trials that succeeded. A path that this host does "
		 "not have is skipped, and the reason is said.\n\n"
		 "The report says what each path reaches, how long requests wait, and what a packet costs: "
		 "exits, interrupts and the host's time, by thread. Ctrl-C writes what there is. See "
		 "docs/benchmarking.md.",
	 .examples = EXAMPLES("sluice bench nic", "sluice bench nic --pf ens1f0 --rounds 9",
			      "sluice bench nic --paths emulated,tap --brief --output /tmp/quick")},
	{.noun = "bench",
	 .verb = "compare",
	 .run = cmd_bench_compare,
	 .operand = "A.json",
	 .operand_kind = CLI_FILE,
	 .more = "B.json",
	 .more_kind = CLI_FILE,
	 .summary = "tell two reports apart, such as before and after an upgrade",
	 .about =
		 "Each work over each path that both have: medians, their ratio, and the probability that "
		 "chance alone parts the trials so far (Mann and Whitney's test, by rank). What is more "
		 "likely than 5 % is called no difference; fewer than four trials each cannot be less.",
	 .examples = EXAMPLES("sluice bench compare old/report.json new/report.json",
			      "sluice bench compare a.json b.json --json")},
	{.noun = "completion",
	 .verb = "bash",
	 .run = cmd_completion_bash,
	 .summary = "a completion script for bash",
	 .about = "Prints the script; load it with source, or install it.",
	 .examples = EXAMPLES("source <(sluice completion bash)")},
	{0},
};
