/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gpu_draw SEED: in a guest, draws the pattern on its display and keeps it there: by DRM with a
 * dumb buffer (Linux, uapi/drm/drm_mode.h), or on a framebuffer device. Says "SLUICE-GUEST: drawn
 * WxH by DRIVER". Linked statically: the guest has no library.
 */
#include <drm.h>
#include <drm_mode.h>
#include <fcntl.h>
#include <linux/fb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/tools/gpu_pattern.h"

#define MODES 64

static void draw(uint8_t *at, uint32_t pitch, uint32_t width, uint32_t height, uint32_t seed)
{
	for (uint32_t y = 0; y < height; y++) {
		volatile uint32_t *row = (volatile uint32_t *)(void *)(at + (size_t)y * pitch);
		for (uint32_t x = 0; x < width; x++)
			row[x] = gpu_pattern(x, y, seed);
	}
}

/* The first connector with a mode: the smallest from 640x480 on, for emulated machines are slow. */
static int find_mode(int fd, uint32_t *connector, uint32_t *crtc, struct drm_mode_modeinfo *mode)
{
	uint32_t connectors[8], crtcs[8];
	struct drm_mode_modeinfo modes[MODES];
	struct drm_mode_card_res res = {0};

	if (ioctl(fd, DRM_IOCTL_MODE_GETRESOURCES, &res) || res.count_connectors > 8 ||
	    res.count_crtcs > 8)
		return -1;
	res = (struct drm_mode_card_res){.connector_id_ptr = (uintptr_t)connectors,
					 .crtc_id_ptr = (uintptr_t)crtcs,
					 .count_connectors = res.count_connectors,
					 .count_crtcs = res.count_crtcs};
	if (ioctl(fd, DRM_IOCTL_MODE_GETRESOURCES, &res) || !res.count_crtcs)
		return -1;
	for (uint32_t i = 0; i < res.count_connectors; i++) {
		struct drm_mode_get_connector c = {.connector_id = connectors[i]};
		if (ioctl(fd, DRM_IOCTL_MODE_GETCONNECTOR, &c) || !c.count_modes ||
		    c.count_modes > MODES)
			continue;
		c = (struct drm_mode_get_connector){.connector_id = connectors[i],
						    .modes_ptr = (uintptr_t)modes,
						    .count_modes = c.count_modes};
		if (ioctl(fd, DRM_IOCTL_MODE_GETCONNECTOR, &c) || !c.count_modes)
			continue;
		*connector = connectors[i];
		*crtc = crtcs[0];
		*mode = modes[0];
		for (uint32_t m = 1; m < c.count_modes; m++)
			if (modes[m].hdisplay >= 640 && modes[m].vdisplay >= 480 &&
			    modes[m].hdisplay * modes[m].vdisplay < mode->hdisplay * mode->vdisplay)
				*mode = modes[m];
		return 0;
	}
	return -1;
}

static int by_drm(const char *path, uint32_t seed)
{
	uint32_t connector, crtc;
	struct drm_mode_modeinfo mode;
	char name[32] = "";
	struct drm_version version = {.name = name, .name_len = sizeof(name) - 1};
	int fd = open(path, O_RDWR);

	if (fd < 0 || find_mode(fd, &connector, &crtc, &mode))
		return -1;
	struct drm_mode_create_dumb dumb = {
		.width = mode.hdisplay, .height = mode.vdisplay, .bpp = 32};
	if (ioctl(fd, DRM_IOCTL_VERSION, &version) || ioctl(fd, DRM_IOCTL_MODE_CREATE_DUMB, &dumb))
		return -1;
	struct drm_mode_fb_cmd fb = {.width = dumb.width,
				     .height = dumb.height,
				     .pitch = dumb.pitch,
				     .bpp = 32,
				     .depth = 24,
				     .handle = dumb.handle};
	struct drm_mode_map_dumb map = {.handle = dumb.handle};
	if (ioctl(fd, DRM_IOCTL_MODE_ADDFB, &fb) || ioctl(fd, DRM_IOCTL_MODE_MAP_DUMB, &map))
		return -1;
	uint8_t *at =
		mmap(NULL, dumb.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)map.offset);
	if (at == MAP_FAILED)
		return -1;
	struct drm_mode_crtc set = {.set_connectors_ptr = (uintptr_t)&connector,
				    .count_connectors = 1,
				    .crtc_id = crtc,
				    .fb_id = fb.fb_id,
				    .mode_valid = 1,
				    .mode = mode};
	if (ioctl(fd, DRM_IOCTL_MODE_SETCRTC, &set))
		return -1;
	draw(at, dumb.pitch, dumb.width, dumb.height, seed);
	printf("SLUICE-GUEST: drawn %ux%u by %s\n", dumb.width, dumb.height, name);
	return 0;
}

static int by_framebuffer(const char *path, uint32_t seed)
{
	struct fb_var_screeninfo var;
	struct fb_fix_screeninfo fix;
	int fd = open(path, O_RDWR);

	if (fd < 0 || ioctl(fd, FBIOGET_VSCREENINFO, &var) ||
	    ioctl(fd, FBIOGET_FSCREENINFO, &fix) || var.bits_per_pixel != 32)
		return -1;
	uint8_t *at = mmap(NULL, fix.smem_len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return -1;
	draw(at, fix.line_length, var.xres, var.yres, seed);
	printf("SLUICE-GUEST: drawn %ux%u by %.16s\n", var.xres, var.yres, fix.id);
	return 0;
}

int main(int argc, char **argv)
{
	uint32_t seed = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 0;

	if (by_drm("/dev/dri/card0", seed) && by_framebuffer("/dev/fb0", seed)) {
		printf("SLUICE-GUEST: not drawn: %m\n");
		return 1;
	}
	fflush(stdout);
	for (;;) /* with the descriptor the picture would go */
		pause();
}
