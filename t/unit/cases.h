/* How many random cases there are: all of them plainly, a tenth where a sanitizer makes each ten
 * times as slow. */
#ifndef CASES_H
#define CASES_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CASES_OF(n) ((n) / 10)
#else
#define CASES_OF(n) (n)
#endif

#endif
