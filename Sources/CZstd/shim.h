// zstd, as Debian's libzstd-dev and Homebrew's zstd install it.
#pragma once
#include <zstd.h>
