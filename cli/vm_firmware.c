/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm_firmware: see vm_firmware.h.
 *
 * The words name what Debian's packages ovmf and seabios install. UEFI code NAME_CODE_REST comes
 * with a template NAME_VARS_REST beside it, which is copied once per VM; after that the copy is the
 * VM's, and outlives it as the settings of a real board do.
 */
#include "cli/vm_firmware.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"

#define UEFI_CODE "/usr/share/OVMF/OVMF_CODE_4M.fd"
#define BIOS_CODE "/usr/share/seabios/bios-256k.bin"
#define STORE_MAX (8u << 20)

/* "…/OVMF_CODE_4M.fd" → "…/OVMF_VARS_4M.fd"; "" where the name has no such part. */
static void find_template(struct vm_firmware *fw)
{
	const char *base = strrchr(fw->code, '/');
	const char *part = strstr(base ? base : fw->code, "_CODE");

	fw->template[0] = '\0';
	if (!part)
		return;
	snprintf(fw->template, sizeof(fw->template), "%.*s_VARS%s", (int)(part - fw->code),
		 fw->code, part + strlen("_CODE"));
}

int vm_firmware_parse(const char *text, struct vm_firmware *out, char *why, size_t size)
{
	const char *comma = strstr(text, ",vars=");
	size_t len = comma ? (size_t)(comma - text) : strlen(text);
	const char *vars = comma ? comma + strlen(",vars=") : "";

	if (!len || len >= PATH_MAX || strlen(vars) >= PATH_MAX || (comma && !*vars)) {
		snprintf(why, size, "firmware '%.40s': not uefi, bios or a path, with ,vars=PATH",
			 text);
		return -EINVAL;
	}
	*out = (struct vm_firmware){.wanted = true};
	snprintf(out->code, sizeof(out->code), "%.*s", (int)len, text);
	snprintf(out->vars, sizeof(out->vars), "%s", vars);
	if (!strcmp(out->code, "uefi"))
		strcpy(out->code, UEFI_CODE);
	else if (!strcmp(out->code, "bios"))
		strcpy(out->code, BIOS_CODE);
	find_template(out);
	return 0;
}

/* Whole or not at all: under another name first. */
static int copy_template(const char *subject, const struct vm_firmware *fw, const char *to)
{
	char temporary[PATH_MAX + 16], *data = NULL;
	size_t len = 0;
	int in = open(fw->template, O_RDONLY | O_CLOEXEC), out = -1;
	int err = in < 0 ? -errno : io_read_file(in, STORE_MAX, &data, &len);

	io_close(&in);
	if (err < 0)
		return log_fail(err, subject, "no store of UEFI variables made from %s: %s",
				fw->template, strerror(-err));
	snprintf(temporary, sizeof(temporary), "%s.%d", to, (int)getpid());
	out = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	err = out < 0 ? -errno : io_write_full(out, data, len);
	if (!err && (fsync(out) < 0 || rename(temporary, to) < 0))
		err = -errno;
	if (err && out >= 0)
		unlink(temporary);
	io_close(&out);
	free(data);
	return err ? log_fail(err, subject, "store of UEFI variables %s not made: %s", to,
			      strerror(-err))
		   : 0;
}

static int default_vars(const struct cli *cli, const char *name, char path[PATH_MAX])
{
	char folder[PATH_MAX / 2];

	if (snprintf(folder, sizeof(folder), "%s/vars", cli->state_dir) >= (int)sizeof(folder))
		return -ENAMETOOLONG;
	if ((mkdir(cli->state_dir, 0755) < 0 && errno != EEXIST) ||
	    (mkdir(folder, 0700) < 0 && errno != EEXIST))
		return log_fail(-errno, folder, "not made: %s", strerror(errno));
	snprintf(path, PATH_MAX, "%s/%s.fd", folder, name);
	return 0;
}

int vm_firmware_open_vars(const struct cli *cli, const char *name, const char *subject,
			  const struct vm_firmware *fw, struct vmm_config *config)
{
	char path[PATH_MAX];
	int err = 0;

	if (!fw->wanted || !(fw->template[0] || fw->vars[0]))
		return 0;
	if (fw->vars[0])
		strcpy(path, fw->vars);
	else
		err = default_vars(cli, name, path);
	if (!err && access(path, F_OK) < 0)
		err = copy_template(subject, fw, path);
	if (err)
		return err;
	config->vars.fd = open(path, O_RDWR | O_CLOEXEC);
	if (config->vars.fd < 0)
		return log_fail(-errno, subject, "store of UEFI variables %s not opened: %s", path,
				strerror(errno));
	config->vars.name = strdup(path);
	return config->vars.name ? 0 : -ENOMEM;
}

int vm_firmware_open(const char *subject, const struct vm_firmware *fw, struct vmm_config *config)
{
	struct stat st;

	if (!fw->wanted)
		return 0;
	config->firmware.fd = open(fw->code, O_RDONLY | O_CLOEXEC);
	if (config->firmware.fd < 0)
		return log_fail(-errno, subject, "firmware %s not opened: %s%s", fw->code,
				strerror(errno),
				!strcmp(fw->code, UEFI_CODE)   ? "; install the package ovmf"
				: !strcmp(fw->code, BIOS_CODE) ? "; install the package seabios"
							       : "");
	if (fstat(config->firmware.fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
		return log_fail(-EINVAL, subject, "firmware %s is not a file, or empty", fw->code);
	config->firmware.name = strdup(fw->code);
	return config->firmware.name ? 0 : -ENOMEM;
}
