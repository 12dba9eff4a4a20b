/* SPDX-License-Identifier: BSD-3-Clause */
/* gpu_check FILE.png SEED: whether every pixel of a picture is that of the pattern. */
#include <png.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/tools/gpu_pattern.h"

int main(int argc, char **argv)
{
	png_image image = {.version = PNG_IMAGE_VERSION};
	uint32_t seed = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 0) : 0;
	size_t wrong = 0;

	if (argc != 3 || !png_image_begin_read_from_file(&image, argv[1])) {
		fprintf(stderr, "gpu_check: %s\n", argc == 3 ? image.message : "FILE SEED");
		return 2;
	}
	image.format = PNG_FORMAT_RGB;
	uint8_t *pixels = malloc(PNG_IMAGE_SIZE(image));
	if (!pixels || !png_image_finish_read(&image, NULL, pixels, 0, NULL))
		return 2;
	for (uint32_t y = 0; y < image.height; y++)
		for (uint32_t x = 0; x < image.width; x++) {
			const uint8_t *p = pixels + ((size_t)y * image.width + x) * 3;
			uint32_t is = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
			if (is == gpu_pattern(x, y, seed))
				continue;
			if (!wrong++)
				printf("first wrong pixel: %u,%u is %06x, not %06x\n", x, y, is,
				       gpu_pattern(x, y, seed));
		}
	printf("%ux%u: %zu of %zu pixels are wrong\n", image.width, image.height, wrong,
	       (size_t)image.width * image.height);
	free(pixels);
	return wrong ? 1 : 0;
}
