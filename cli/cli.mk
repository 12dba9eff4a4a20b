# SPDX-License-Identifier: BSD-3-Clause
# sluice: the command; sluice-vmm: one process per VM.
cli_SRCS := cli/main.c cli/context.c cli/args.c cli/commands.c cli/help.c cli/completion.c
cli_SRCS += cli/output.c cli/proc.c cli/vf_spec.c cli/console.c cli/terminal.c
cli_SRCS += cli/cmd_host.c cli/cmd_host_caps.c cli/cmd_pf.c cli/cmd_vf.c cli/cmd_iommu.c cli/cmd_iommu_release.c
cli_SRCS += cli/cmd_iommu_guard.c
cli_SRCS += cli/cmd_vm.c cli/cmd_vm_ctl.c cli/cmd_vm_stat.c
cli_SRCS += cli/vm_dir.c cli/vm_request.c cli/vm_spawn.c cli/vm_supervise.c cli/vmm_config.c
cli_SRCS += cli/cmd_host_doctor.c
cli_SRCS += cli/disk_spec.c cli/vm_disk.c
cli_SRCS += cli/cmd_vm_plug.c cli/vm_claim.c cli/vm_plug.c
cli_SRCS += cli/cmd_vm_life.c cli/cmd_vm_events.c cli/cmd_vm_restore.c cli/vm_record.c cli/vm_file.c
vmm_SRCS := cli/vmm_main.c cli/vmm_config.c cli/vmm_machine.c cli/vmm_ctl.c cli/vmm_console.c
vmm_SRCS += cli/vmm_hotplug.c
vmm_SRCS += cli/vmm_events.c cli/vmm_life.c cli/vm_file.c
cli_SRCS += cli/vm_firmware.c
cli_SRCS += cli/cmd_plan.c cli/cmd_pool.c cli/show_plan.c cli/wish_file.c
cli_SRCS += cli/iommu_facts.c cli/cmd_iommu_audit.c cli/cmd_irqs.c
cli_SRCS += cli/doctor.c
cli_SRCS += cli/exit_trace.c cli/vm_costs.c
vmm_SRCS += cli/vmm_trace.c
cli_SRCS += cli/cmd_vm_top.c cli/cmd_vm_trace.c cli/trace_json.c cli/vm_sample.c
cli_SRCS += cli/patience.c
cli_SRCS += cli/net_spec.c cli/vm_net.c cli/vm_stat_net.c cli/cmd_vm_balloon.c
vmm_SRCS += cli/vmm_stat.c
$(O)/cli/vm_net.o: ALL_CFLAGS += $(shell $(PKG_CONFIG) --cflags libnl-route-3.0 | sed s/-I/-isystem/)
