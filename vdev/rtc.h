/* SPDX-License-Identifier: BSD-3-Clause */
/* rtc: the MC146818 clock of a PC and its memory; see rtc.c. */
#ifndef VDEV_RTC_H
#define VDEV_RTC_H

#include "base/loop.h"
#include "hv-core/hv.h"

#define VDEV_RTC_PORT 0x70
#define VDEV_RTC_GSI  8

struct vdev_rtc;

/* Tells UTC, from the host's clock. */
int vdev_rtc_create(struct hv_vm *vm, struct loop *loop, struct vdev_rtc **out);
void vdev_rtc_destroy(struct vdev_rtc *rtc);
/* fn: an alarm that the guest asked for has come. Device lock held. */
void vdev_rtc_on_alarm(struct vdev_rtc *rtc, void (*fn)(void *opaque), void *opaque);

void vdev_rtc_save(const struct vdev_rtc *rtc, struct state *s);
void vdev_rtc_load(struct vdev_rtc *rtc, struct state *s);

#endif
