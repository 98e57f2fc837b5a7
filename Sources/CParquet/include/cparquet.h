/* C surface of Parquet over Arrow C++. */
