CREATE TABLE IF NOT EXISTS `device_data` (
  `namespace` VARCHAR(63) NOT NULL,
  `device` VARCHAR(253) NOT NULL,
  `property` VARCHAR(255) NOT NULL,
  `ts` DATETIME(3) NOT NULL,
  `type` VARCHAR(16) NOT NULL,
  `value_double` DOUBLE NULL,
  `value_int` BIGINT NULL,
  `value_text` LONGTEXT NOT NULL,
  `unit` VARCHAR(255) NOT NULL,
  `quality` VARCHAR(16) NOT NULL,
  PRIMARY KEY (`namespace`, `device`, `property`, `ts`)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
