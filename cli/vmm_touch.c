/* SPDX-License-Identifier: BSD-3-Clause */
/* vmm_touch: see vmm_touch.h. All but the thread runs on the loop's thread. */
#include "cli/vmm_touch.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/log.h"
#include "cli/sandbox.h"

#define IDLE_NICE 19

enum touch_state { NONE, WORKING, DONE, FAILED };

struct vmm_touch {
	struct hv_vm *vm;
	pthread_t thread;
	bool joinable, idle;
	struct hv_mem_watch watch;
	atomic_int state;
};

static void *work(void *opaque)
{
	struct vmm_touch *t = opaque;

	pthread_setname_np(pthread_self(), "touch");
	sandbox_thread(SANDBOX_SLOW);
	/* of this thread, and of those that it makes */
	if (t->idle && setpriority(PRIO_PROCESS, 0, IDLE_NICE) < 0)
		log_debug(hv_vm_name(t->vm), "its memory is touched with full weight: %m");
	int err = hv_mem_prefault(t->vm, t->idle ? 1 : 0, &t->watch);
	atomic_store(&t->state, err ? FAILED : DONE);
	return NULL;
}

static void stop(struct vmm_touch *t)
{
	if (!t->joinable)
		return;
	atomic_store(&t->watch.cancel, true);
	pthread_join(t->thread, NULL);
	t->joinable = false;
	atomic_store(&t->watch.cancel, false);
}

int vmm_touch_create(struct hv_vm *vm, struct vmm_touch **out)
{
	struct vmm_touch *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->vm = vm;
	*out = t;
	return 0;
}

void vmm_touch_destroy(struct vmm_touch *t)
{
	if (!t)
		return;
	stop(t);
	free(t);
}

int vmm_touch_start(struct vmm_touch *t, bool idle)
{
	sigset_t all, before;
	int state = atomic_load(&t->state);

	if (state == DONE || (state == WORKING && (idle || !t->idle)))
		return 0;
	stop(t);
	t->idle = idle;
	atomic_store(&t->watch.done, 0); /* what is there already is passed over quickly */
	atomic_store(&t->state, WORKING);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int err = -pthread_create(&t->thread, NULL, work, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	t->joinable = !err;
	if (err)
		atomic_store(&t->state, NONE);
	return err ? log_fail(err, hv_vm_name(t->vm), "its memory is not touched: %s",
			      strerror(-err))
		   : 0;
}

json_t *vmm_touch_status(const struct vmm_touch *t)
{
	static const char *const names[] = {"none", "working", "done", "failed"};
	const struct hv_ram_block *blocks;
	size_t count = hv_mem_blocks(t->vm, &blocks);
	uint64_t total = 0;

	for (size_t i = 0; i < count; i++)
		total += blocks[i].size;
	return json_pack("{s:s,s:I,s:I}", "state", names[atomic_load(&t->state)], "done",
			 (json_int_t)atomic_load(&t->watch.done), "total", (json_int_t)total);
}
