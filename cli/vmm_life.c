/* SPDX-License-Identifier: BSD-3-Clause */
/* vmm_life: see vmm_life.h. */
#include "cli/vmm_life.h"
#include "cli/sandbox.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "cli/vm_file.h"

enum save_state { SAVE_NONE, SAVE_WRITING, SAVE_DONE, SAVE_FAILED };

struct vmm_life {
	const struct vmm_config *config;
	struct vmm_events *events;
	struct vmm_machine *machine;
	bool reset_wanted;

	enum save_state saving;
	bool resume_after;
	pthread_t thread; /* while saving is SAVE_WRITING */
	int fd, finished; /* the file; eventfd: the thread is through */
	struct loop_source *source;
	struct vm_file_source from;
	char *config_text, *state_text;
	atomic_uint_fast64_t done;
	atomic_bool cancel;
	int result; /* of the thread */
	char error[RPC_ERROR_TEXT];
};

static int say(char error[RPC_ERROR_TEXT], int err, const char *text)
{
	snprintf(error, RPC_ERROR_TEXT, "%s", text);
	return err;
}

static int check_there(const struct vmm_life *life, char error[RPC_ERROR_TEXT])
{
	return life->machine ? 0 : say(error, -EAGAIN, "it is being started; try again");
}

static int check_still(const struct vmm_life *life, char error[RPC_ERROR_TEXT])
{
	int err = check_there(life, error);

	if (!err && life->saving == SAVE_WRITING)
		err = say(error, -EBUSY, "it is being saved; wait for that, or kill it");
	return err;
}

/* ---- pause and resume ---- */

static int stand_still(struct vmm_life *life, char error[RPC_ERROR_TEXT])
{
	struct vmm_machine *m = life->machine;
	int err = hv_vm_pause(m->vm);

	if (err)
		return say(error, err, "its CPUs do not stand still; see its log");
	err = vdev_machine_quiesce(m->devices);
	if (!err)
		return 0;
	hv_vm_resume(m->vm);
	return say(error, err, "a device does not stand still; see its log");
}

int vmm_life_pause(struct vmm_life *life, char error[RPC_ERROR_TEXT])
{
	int err = check_still(life, error);

	if (err || hv_vm_paused(life->machine->vm))
		return err;
	err = stand_still(life, error);
	if (!err)
		vmm_events_state(life->events, "paused", NULL);
	return err;
}

static int go_on(struct vmm_life *life, char error[RPC_ERROR_TEXT])
{
	vdev_machine_resume(life->machine->devices);
	int err = hv_vm_resume(life->machine->vm);

	if (err)
		return say(error, err, "its clocks do not start; see its log");
	vmm_events_state(life->events, "running", NULL);
	return 0;
}

int vmm_life_resume(struct vmm_life *life, char error[RPC_ERROR_TEXT])
{
	int err = check_still(life, error);

	if (err)
		return err;
	if (hv_vm_paused(life->machine->vm))
		return go_on(life, error);
	vdev_disk_retry(life->machine->devices); /* what stands still may be a disk alone */
	return 0;
}

/* ---- reset ---- */

int vmm_life_reset(struct vmm_life *life, char error[RPC_ERROR_TEXT])
{
	int err = check_still(life, error);

	if (!err && life->config->kernel.fd < 0)
		err = say(error, -ENOTSUP,
			  "it was restored without its kernel, so there is nothing to start again");
	if (err)
		return err;
	life->reset_wanted = true;
	hv_vm_end(life->machine->vm, HV_END_RESET);
	return 0;
}

bool vmm_life_restarts(const struct vmm_life *life)
{
	return (life->config->restart || life->reset_wanted) && life->config->kernel.fd >= 0;
}

/* ---- saving ---- */

static void *save_thread(void *opaque)
{
	struct vmm_life *life = opaque;

	pthread_setname_np(pthread_self(), "save");
	sandbox_thread(SANDBOX_SLOW);
	life->result = vm_file_write(life->fd, &life->from);
	if (eventfd_write(life->finished, 1) < 0)
		log_error(life->config->name, "the end of saving is not told: %m");
	return NULL;
}

static void free_texts(struct vmm_life *life)
{
	free(life->config_text);
	free(life->state_text);
	life->config_text = life->state_text = NULL;
	io_close(&life->fd);
}

/* Joins the thread, whatever it has come to. */
static void finish_save(struct vmm_life *life)
{
	pthread_join(life->thread, NULL);
	life->saving = life->result ? SAVE_FAILED : SAVE_DONE;
	if (life->result == -ENOSPC || life->result == -EDQUOT)
		say(life->error, 0, "the disk is full");
	else
		say(life->error, 0, strerror(-life->result));
	free_texts(life);
	if (life->result)
		log_fail(life->result, life->config->name, "not saved: %s", life->error);
}

static void save_finished(void *opaque, uint32_t events)
{
	struct vmm_life *life = opaque;
	char error[RPC_ERROR_TEXT];
	uint64_t count;

	(void)events;
	if (read(life->finished, &count, sizeof(count)) < 0 || life->saving != SAVE_WRITING)
		return;
	finish_save(life);
	vmm_events_heard(life->events, &(struct hv_event){
					       .what = life->result ? "save-failed" : "saved",
					       .text = life->result ? life->error : NULL,
				       });
	if (life->resume_after)
		go_on(life, error);
	else
		vmm_events_state(life->events, "paused", NULL);
}

/* Everything but RAM, as texts. */
static int write_down(struct vmm_life *life)
{
	struct vmm_machine *m = life->machine;
	struct state *root = state_new();
	json_t *config = json_pack("{s:s,s:s,s:O*}", "name", life->config->name, "version",
				   SLUICE_VERSION, "record", life->config->record);
	int err = hv_vm_save(m->vm, state_child(root, "vm"));

	if (!err)
		err = vdev_machine_save(m->devices, state_child(root, "devices"));
	if (!err) {
		life->state_text = state_text(root);
		life->config_text = config ? json_dumps(config, JSON_COMPACT) : NULL;
		err = life->state_text && life->config_text ? 0 : -ENOMEM;
	}
	json_decref(config);
	state_free(root);
	return err;
}

static int start_thread(struct vmm_life *life)
{
	sigset_t all, before;

	life->from = (struct vm_file_source){
		.config = life->config_text,
		.state = life->state_text,
		.done = &life->done,
		.cancel = &life->cancel,
	};
	life->from.blocks = hv_mem_blocks(life->machine->vm, &life->from.block);
	atomic_store(&life->done, 0);
	atomic_store(&life->cancel, false);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int err = -pthread_create(&life->thread, NULL, save_thread, life);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

static int begin(struct vmm_life *life, bool ran, bool keep, char error[RPC_ERROR_TEXT])
{
	int err = write_down(life);

	if (!err)
		err = start_thread(life);
	if (err) {
		free_texts(life);
		return say(error, err, "its state is not readable; see its log");
	}
	life->resume_after = ran && keep;
	life->saving = SAVE_WRITING;
	vmm_events_state(life->events, "saving", NULL);
	return 0;
}

int vmm_life_save(struct vmm_life *life, int fd, bool keep, bool *ran, char error[RPC_ERROR_TEXT])
{
	int err = check_still(life, error);

	if (!err)
		err = vdev_machine_savable(life->machine->devices, error, RPC_ERROR_TEXT);
	*ran = !err && !hv_vm_paused(life->machine->vm);
	if (*ran)
		err = stand_still(life, error);
	if (err) {
		io_close(&fd);
		return err;
	}
	life->fd = fd;
	err = begin(life, *ran, keep, error);
	if (err && *ran) {
		char ignored[RPC_ERROR_TEXT];
		go_on(life, ignored);
	}
	return err;
}

json_t *vmm_life_save_status(struct vmm_life *life)
{
	static const char *const names[] = {"none", "writing", "done", "failed"};
	json_int_t done = (json_int_t)atomic_load(&life->done);

	return json_pack("{s:s,s:I,s:I,s:s*}", "state", names[life->saving], "done", done, "total",
			 (json_int_t)life->config->ram, "error",
			 life->saving == SAVE_FAILED ? life->error : NULL);
}

/* ---- the whole ---- */

const char *vmm_life_state(const struct vmm_life *life)
{
	if (!life->machine)
		return "starting";
	if (life->saving == SAVE_WRITING)
		return "saving";
	return hv_vm_paused(life->machine->vm) ? "paused" : "running";
}

void vmm_life_attach(struct vmm_life *life, struct vmm_machine *machine)
{
	if (!machine && life->saving == SAVE_WRITING) {
		atomic_store(&life->cancel, true);
		finish_save(life);
	}
	life->machine = machine;
	life->reset_wanted &= !machine;
	if (machine) {
		hv_vm_on_event(machine->vm, vmm_events_heard, life->events);
		life->saving = SAVE_NONE;
	}
}

int vmm_life_create(const struct vmm_config *config, struct loop *loop, struct vmm_events *events,
		    struct vmm_life **out)
{
	struct vmm_life *life = calloc(1, sizeof(*life));

	if (!life)
		return -ENOMEM;
	*life = (struct vmm_life){.config = config, .events = events, .fd = -1};
	life->finished = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int err = life->finished < 0 ? -errno
				     : loop_add(loop, life->finished, EPOLLIN, save_finished, life,
						&life->source);
	if (err) {
		vmm_life_destroy(life);
		return err;
	}
	*out = life;
	return 0;
}

void vmm_life_destroy(struct vmm_life *life)
{
	if (!life)
		return;
	vmm_life_attach(life, NULL);
	loop_remove(life->source);
	io_close(&life->finished);
	free(life);
}
