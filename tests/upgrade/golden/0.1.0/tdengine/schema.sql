CREATE DATABASE IF NOT EXISTS `plant` PRECISION 'ms'
CREATE STABLE IF NOT EXISTS `plant`.`mapper_int` (`ts` TIMESTAMP, `value` BIGINT, `quality` VARCHAR(16)) TAGS (`namespace` NCHAR(64), `device` NCHAR(256), `property` NCHAR(256), `model` NCHAR(256), `unit` NCHAR(64))
CREATE STABLE IF NOT EXISTS `plant`.`mapper_double` (`ts` TIMESTAMP, `value` DOUBLE, `quality` VARCHAR(16)) TAGS (`namespace` NCHAR(64), `device` NCHAR(256), `property` NCHAR(256), `model` NCHAR(256), `unit` NCHAR(64))
CREATE STABLE IF NOT EXISTS `plant`.`mapper_bool` (`ts` TIMESTAMP, `value` BOOL, `quality` VARCHAR(16)) TAGS (`namespace` NCHAR(64), `device` NCHAR(256), `property` NCHAR(256), `model` NCHAR(256), `unit` NCHAR(64))
CREATE STABLE IF NOT EXISTS `plant`.`mapper_text` (`ts` TIMESTAMP, `value` NCHAR(4000), `quality` VARCHAR(16)) TAGS (`namespace` NCHAR(64), `device` NCHAR(256), `property` NCHAR(256), `model` NCHAR(256), `unit` NCHAR(64))
CREATE STABLE IF NOT EXISTS `plant`.`mapper_bytes` (`ts` TIMESTAMP, `value` VARCHAR(16000), `quality` VARCHAR(16)) TAGS (`namespace` NCHAR(64), `device` NCHAR(256), `property` NCHAR(256), `model` NCHAR(256), `unit` NCHAR(64))
