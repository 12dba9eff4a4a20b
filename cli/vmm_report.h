/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmm_report: what sluice-vmm tells its supervisor through a pipe, one line each, in this order:
 *
 *     memory BYTES     RAM of this size is about to be touched page by page; it may take long
 *     running          the guest runs (once more after each reset)
 *     ejected ADDRESS  the guest has let go of this device, which was asked of it; the VM no longer
 *                      has it (any number of times, from "running" on)
 *     reset            the guest asked for a reset, and the machine is being built again
 *     end WORD         it is over, and how (hv_end_name); nothing follows. "status:N" is how a
 *                      test kernel ends it through the exit port
 *     failed           it could not start; the reason is in the log
 *
 * A pipe that closes without "end" or "failed" means that the VMM died.
 */
#ifndef CLI_VMM_REPORT_H
#define CLI_VMM_REPORT_H

#define VMM_REPORT_MEMORY     "memory"
#define VMM_REPORT_RUNNING    "running"
#define VMM_REPORT_EJECTED    "ejected"
#define VMM_REPORT_RESET      "reset"
#define VMM_REPORT_END	      "end"
#define VMM_REPORT_FAILED     "failed"
#define VMM_REPORT_LINE	      64 /* longest line, with its newline */
#define VMM_REPORT_END_STATUS VMM_REPORT_END " status:"

#endif
