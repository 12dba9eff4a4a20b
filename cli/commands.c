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
	"tables can be read (see iommu audit)."

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

static const struct cli_option plan_options[] = {PF_OPTION, PHASE_OPTION, {0}};

static const struct cli_option apply_options[] = {
	PF_OPTION,
	PHASE_OPTION,
	{.name = "--await-link",
	 .value = "SECONDS",
	 .kind = CLI_NUMBER,
	 .max = 3600,
	 .help = "where something waits for a PF's link, wait for it so long"},
	{.name = "--yes", .help = "also what somebody feels: VFs made anew, drivers changed"},
	{.name = "--from",
	 .value = "FILE",
	 .kind = CLI_FILE,
	 .help = "first wish for what this file says (see export)"},
	{0},
};

static const struct cli_option export_options[] = {
	{.name = "--found", .help = "the machine as it is, instead of as it is wished"},
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
	 .value = "legacy|switchdev",
	 .kind = CLI_WORD,
	 .words = "legacy|switchdev",
	 .help = "how the card's own switch is run"},
	{.name = "--nvme-keep",
	 .value = "N",
	 .kind = CLI_NUMBER,
	 .max = UINT16_MAX,
	 .help = "of the queues and of the interrupts that VFs could have, N stay with the NVMe "
		 "controller, which is reset"},
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

static const struct cli_option vm_run_options[] = {
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
	 .value = "SIZE[,pages=4k|thp|2m|1g]",
	 .kind = CLI_TEXT,
	 .help = "guest RAM, and the pages that hold it (512M,pages=thp)"},
	{.name = "--pin",
	 .value = "VCPU:CPU,...",
	 .kind = CLI_TEXT,
	 .help = "keep virtual CPUs on CPUs of the host, such as 0:2,1:3"},
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
	 .value = "tap[=INTERFACE][,KEY=VALUE,...]",
	 .kind = CLI_TEXT,
	 .repeat = true,
	 .help = "give the VM a virtio NIC on a tap, or on a new one (NAME-n0) that goes with the VM; "
		 "settings bridge, mac (else made of the VM's name, always the same), queues (1), mtu, "
		 "backend=vhost|user, standby=on (the guest uses it while the VF of the same address, by "
		 "default its first --vf, is away)"},
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
		 "per second)"},
	{.name = "--rng", .help = "give the guest entropy of the host's (virtio-rng)"},
	{.name = "--detach", .help = "return when the VM runs; it lives on in the background"},
	{.name = "--on-reboot",
	 .value = "restart|exit",
	 .kind = CLI_WORD,
	 .words = "restart|exit",
	 .help = "what a reboot of the guest does (restart)"},
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
	{.name = "--no-kaslr", .help = "load the kernel where it was linked"},
	{0},
};

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
	 .help = "a raw image or block device, with settings as for vm run"},
	{0},
};

static const struct cli_option detach_options[] = {
	{.name = "--timeout",
	 .value = "S",
	 .kind = CLI_NUMBER,
	 .min = 1,
	 .max = 86400,
	 .help = "seconds that the guest has (30)"},
	{0},
};

#define DETACH_ABOUT                                                                                \
	"Presses the attention button of the device's slot. The guest blinks the slot's indicator " \
	"for five seconds, stops its driver and turns the slot off; then the device is taken out, " \
	"and goes back to its former driver and settings. A guest that does not do so in time "     \
	"keeps the device, and may be asked again."

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

static const struct cli_option vm_trace_options[] = {
	{.name = "--seconds",
	 .value = "N",
	 .kind = CLI_NUMBER,
	 .min = 1,
	 .max = 3600,
	 .help = "how long (5)"},
	{.name = "--output",
	 .value = "FILE",
	 .kind = CLI_FILE,
	 .help = "where to write it (standard output)"},
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
		 "disks must not be in use and they may have no VFs yet.",
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
	 .about = "The number of VFs can only be changed while nobody uses one of them.",
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
	 .summary = "give a VF to a VM that runs",
	 .about =
		 "Prepares the VF as vm run does, with the same settings, and plugs it into a free slot "
		 "of the VM. Its first device costs more time than later ones, since all of its memory "
		 "must be there for the device.",
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
	 .summary = "take a VF from a VM that runs",
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
		 "hugepages until it is off. This switches such units off and gives the hugepages back; "
		 "the next driver of a unit does the same by itself.",
	 .examples = EXAMPLES("sluice iommu release --dry-run", "sluice iommu release")},
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
		 "of space, writes wait instead of failing (vm stat says so) and go on by themselves.\n\n"
		 "VFs and devices are prepared for the VM, and given back with their former drivers "
		 "and settings when it ends.\n\n"
		 "With an exit port, a value that the guest writes there ends the VM, and the exit "
		 "status is (value * 2 + 1) modulo 256, always odd; a VM that then ends in another bad "
		 "way, or does not start, gives 4.",
	 .examples =
		 EXAMPLES("sluice vm run --kernel /boot/vmlinuz --initrd initrd.img --append "
			  "console=ttyS0 --vf ens1f0",
			  "sluice vm run web --kernel vmlinuz --cpus 4 --memory 4G,pages=2m "
			  "--vf ens1f0/2:mac=02:00:00:00:00:02,vlan=100 --detach",
			  "sluice vm run db --kernel vmlinuz --cpus 2 --net "
			  "tap,bridge=br0,queues=2 --watchdog reset --detach",
			  "sluice vm run db --kernel vmlinuz --append root=/dev/vda1 "
			  "--disk db.img,serial=DB1,queues=4 --disk tools.img,ro",
			  "sluice vm run --kernel msr.flat --initrd environment --memory 256M",
			  "sluice vm run debian --firmware uefi --disk debian.img --memory 1G")},
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
		 "The path of an interrupt is posted, where processor and IOMMU can both put it into the guest's "
		 "APIC (told from their capabilities; vm irqs reads the entry itself); remapped, when it comes to the host through the IOMMU and to the guest by an eventfd; host, the "
		 "same without remapping; or emulated, when it is a level that passes through us.",
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
	 .examples = EXAMPLES("sluice vm trace web --seconds 10 --output web.json")},
	{.noun = "vm",
	 .verb = "irqs",
	 .run = cmd_vm_irqs,
	 .operand = "NAME",
	 .operand_kind = CLI_VM,
	 .summary = "how the interrupts of a VM's devices reach it",
	 .about = IRQS_ABOUT,
	 .examples = EXAMPLES("sluice vm irqs web", "sluice vm irqs web --json")},
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
	 .summary = "give devices to a VM that runs",
	 .about = "Plugs each device into a free slot of the VM (vm run --hotplug-ports), in the "
		  "order given, and stops at the first that cannot be attached.",
	 .examples = EXAMPLES("sluice vm attach web --vf ens1f0/2:mac=02:00:00:00:00:02",
			      "sluice vm attach web --disk /srv/data.img,serial=DATA",
			      "sluice vm attach web --device 0000:02:00.0")},
	{.noun = "vm",
	 .verb = "detach",
	 .run = cmd_vm_detach,
	 .changes = true,
	 .operand = "NAME",
	 .operand_kind = CLI_VM,
	 .more = "DEVICE",
	 .more_kind = CLI_VF,
	 .options = detach_options,
	 .summary = "take a device from a VM that runs",
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
	 .options = detach_options,
	 .summary = "how many CPUs a running VM has",
	 .about = "Up to what the VM was started for (vm run --cpus N,max=M). CPUs that come are "
		  "announced; whether they are used is up to the guest (udev, or "
		  "/sys/devices/system/cpu/cpuN/online). CPUs that shall go are asked for, and the "
		  "guest lets go of them or not.",
	 .examples = EXAMPLES("sluice vm cpus web 4", "sluice vm cpus web 1 --timeout 60")},
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
		 "guest reboots.",
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
		 "of it.",
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
	 .summary = "the serial line of a running VM",
	 .about =
		 "Shows the last 64 KiB of the guest's output and what follows, and types into it. "
		 "Ctrl-] leaves; the VM runs on.",
	 .examples = EXAMPLES("sluice vm console web")},
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
		 "Everything that vf create, vf set, vf adopt and apply --from have wished is kept, and "
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
		 "somebody feels needs --yes. Nothing is ever taken from under a VM.",
	 .examples = EXAMPLES("sluice apply", "sluice apply --yes --pf ens1f0",
			      "sluice apply --from host.json --dry-run")},
	{.noun = "assert",
	 .verb = "",
	 .run = cmd_assert,
	 .summary = "exit status 0 if the machine is as it is wished, else what is not",
	 .about = "Looks at wishes, leftovers of killed commands and of dead VMs. Changes nothing.",
	 .examples = EXAMPLES("sluice assert", "sluice assert --json")},
	{.noun = "export",
	 .verb = "",
	 .run = cmd_export,
	 .options = export_options,
	 .summary = "print what is wished as JSON, for apply --from",
	 .about =
		 "On another machine of the same kind, or on this one after a mistake, apply --from "
		 "brings it back.",
	 .examples = EXAMPLES("sluice export", "sluice export --found")},
	{.noun = "completion",
	 .verb = "bash",
	 .run = cmd_completion_bash,
	 .summary = "a completion script for bash",
	 .about = "Prints the script; load it with source, or install it.",
	 .examples = EXAMPLES("source <(sluice completion bash)")},
	{0},
};
