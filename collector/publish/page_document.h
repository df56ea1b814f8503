/* The document /: page/ put together by `make`. */
#ifndef PAGE_DOCUMENT_H
#define PAGE_DOCUMENT_H

#include <stddef.h>

extern const unsigned char page_document[];
extern const size_t page_document_len;

#endif
