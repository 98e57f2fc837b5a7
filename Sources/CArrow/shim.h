/* Arrow is C++: only the CParquet target includes its headers. */
