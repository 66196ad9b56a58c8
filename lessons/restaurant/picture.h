// SPDX-License-Identifier: MIT
/* picture.h – the evenings as people see them.
 *
 * Holds      the signs, and the pace of the film.
 * Called by  board.c.
 * Why        a film shows who waits for whom as it happens; where no cursor can be moved, or nobody looks,
 *            the timelines say the same.
 */
#ifndef PICTURE_H
#define PICTURE_H

#include "board.h"

/* Shows them side by side in time. */
void picture_show(const struct board *boards, size_t count);

#endif
