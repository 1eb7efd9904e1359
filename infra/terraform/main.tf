# An archive on S3 that no collector can harm, the rights of those who use it, and a task that passes over an EFS filesystem.

terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.80"
    }
  }
}

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

locals {
  objects  = var.prefix == "" ? aws_s3_bucket.archive.arn : "${aws_s3_bucket.archive.arn}/${var.prefix}"
  evidence = "${local.objects}/evidence/*"
  derived  = "${local.objects}/derived/*"
}
