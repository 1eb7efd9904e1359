output "archive" {
  description = "For `archive:` in gleaner.yaml."
  value       = join("/", compact(["s3:/", aws_s3_bucket.archive.id, var.prefix]))
}

output "role_arns" {
  description = "The roles writer, reader and expirer."
  value       = { for name, role in aws_iam_role.this : name => role.arn }
}
