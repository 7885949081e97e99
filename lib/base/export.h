/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Everything is compiled with hidden visibility. The names declared between these two marks may
 * leave their library; its map file says that they do.
 */
#ifndef RA_BASE_EXPORT_H
#define RA_BASE_EXPORT_H

#define RA_EXPORT_BEGIN _Pragma("GCC visibility push(default)")
#define RA_EXPORT_END   _Pragma("GCC visibility pop")

#endif
