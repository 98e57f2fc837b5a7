#include "cparquet.h"
